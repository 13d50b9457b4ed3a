INSERT INTO notification_attempts (notification_id, at, outcome, detail)
VALUES (%(id)s, %(at)s, %(outcome)s, %(detail)s)
