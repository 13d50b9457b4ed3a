-- A span that is told again after its alert was withdrawn is from now on the new alert's.
INSERT INTO alert_transitions (rule_code, subject_kind, subject_id, change, since, at, alert_id)
VALUES (%(rule_code)s, %(subject_kind)s, %(subject_id)s, %(change)s, %(since)s, %(at)s,
        %(alert_id)s)
ON CONFLICT (rule_code, subject_kind, subject_id, since, change, at)
DO UPDATE SET alert_id = excluded.alert_id
