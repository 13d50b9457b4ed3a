-- What a device reported and when last; no values: who may see those signs in to the inbox.
SELECT metrics.name AS metric, metrics.unit, latest_readings.time
FROM latest_readings
JOIN metrics ON metrics.id = latest_readings.metric_id
WHERE latest_readings.device_id = %(device)s
ORDER BY latest_readings.time DESC, metrics.name
