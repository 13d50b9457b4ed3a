SELECT GREATEST(
    (SELECT max(committed_at) FROM batches),
    (SELECT max(heard_until) FROM batches),
    (SELECT max(opened_at) FROM alerts),
    (SELECT max(at) FROM alert_events),
    (SELECT max(applied_at) FROM site_versions)
)
