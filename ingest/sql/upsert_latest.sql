-- A reading from the future counts as of its arrival: else all true ones would look older for a while.
INSERT INTO latest_readings AS l (device_id, metric_id, time, value)
SELECT DISTINCT ON (device_id, metric_id) device_id, metric_id, least(time, arrival), value
FROM (
    SELECT device_id, metric_id, time, arrival, value, row FROM staged_readings
    UNION ALL
    SELECT device_id, metric_id, time, arrival, value, row FROM staged_events
) AS staged
ORDER BY device_id, metric_id, least(time, arrival) DESC, time DESC, row
ON CONFLICT (device_id, metric_id) DO UPDATE
    SET time = excluded.time, value = excluded.value
    WHERE l.time < excluded.time;
