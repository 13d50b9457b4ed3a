INSERT INTO alerts (id, rule_code, rule_fingerprint, subject_kind, subject_id, since, fired_at,
                    opened_at, category, severity, title, plain_title, advice,
                    area_id, household_id, device_id, devices, metrics, value, state, silent_since, route_reason,
                    cleared_at, closed_at, outcome)
OVERRIDING SYSTEM VALUE
VALUES (%(id)s, %(rule_code)s, %(rule_fingerprint)s, %(subject_kind)s, %(subject_id)s, %(since)s,
        %(fired_at)s, %(opened_at)s, %(category)s, %(severity)s, %(title)s,
        %(plain_title)s, %(advice)s, %(area_id)s, %(household_id)s, %(device_id)s, %(devices)s, %(metrics)s, %(value)s, %(state)s,
        %(silent_since)s, %(route_reason)s, %(cleared_at)s, %(closed_at)s, %(outcome)s)
