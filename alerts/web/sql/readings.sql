-- The newest readings and events of these devices and metrics in a stretch of time, oldest first.
SELECT * FROM (
    SELECT time, device_id, metric_id, value, attributes
      FROM (SELECT time, device_id, metric_id, value, NULL::jsonb AS attributes FROM readings
             UNION ALL
            SELECT time, device_id, metric_id, value, attributes FROM events) both_kinds
     WHERE device_id = ANY (%(devices)s) AND metric_id = ANY (%(metrics)s)
       AND time BETWEEN %(start)s AND %(end)s
     ORDER BY time DESC
     LIMIT %(limit)s) newest
 ORDER BY time, device_id, metric_id
