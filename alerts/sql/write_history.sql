INSERT INTO alert_events (alert_id, at, kind, reason, member_id, detail)
VALUES (%(alert_id)s, %(at)s, %(kind)s, %(reason)s, %(member_id)s, %(detail)s)
