INSERT INTO events (time, device_id, metric_id, value, attributes, digest, arrival, seq)
SELECT time, device_id, metric_id, value, attributes, digest, arrival, %(seq)s FROM staged_events
ON CONFLICT DO NOTHING;
