INSERT INTO audit_log (at, action, detail) VALUES (%(now)s, %(action)s, %(detail)s)
