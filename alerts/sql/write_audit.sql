INSERT INTO audit_log (at, member_id, action, alert_id, detail)
VALUES (%(now)s, %(member)s, %(action)s, %(alert)s, %(detail)s)
