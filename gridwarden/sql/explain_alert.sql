SELECT id, rule_code, rule_fingerprint, subject_kind, subject_id, since, fired_at, opened_at,
       category, severity, title, area_id, household_id, devices, metrics, value, state,
       silent_since, cleared_at, closed_at, route_reason
FROM alerts WHERE id = %(alert)s
