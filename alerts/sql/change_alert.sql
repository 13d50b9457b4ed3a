UPDATE alerts
SET state = %(state)s, severity = %(severity)s, silent_since = %(silent_since)s,
    cleared_at = %(cleared_at)s, closed_at = %(closed_at)s, outcome = %(outcome)s
WHERE id = %(id)s
