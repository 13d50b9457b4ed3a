INSERT INTO audit_log (at, action, detail)
VALUES (%(now)s, %(action)s, jsonb_strip_nulls(jsonb_build_object(
    'account', %(username)s::text, 'reason', %(reason)s::text
)))
