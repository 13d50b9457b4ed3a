INSERT INTO downlink_attempts (downlink_id, at, outcome, detail)
VALUES (%(id)s, %(at)s, %(outcome)s, %(detail)s)
