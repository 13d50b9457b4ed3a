INSERT INTO readings (time, device_id, metric_id, value, arrival, seq)
SELECT time, device_id, metric_id, value, arrival, %(seq)s FROM staged_readings
ON CONFLICT DO NOTHING;
