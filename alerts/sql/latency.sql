-- From the arrival of the reading that fired an alert to its first message's delivery. Alerts that a
-- timer fired have no such reading and are not counted.
SELECT count(*) AS count,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
       percentile_cont(0.99) WITHIN GROUP (ORDER BY seconds) AS p99
FROM (
    SELECT extract(epoch FROM n.delivered_at - heard.arrival)::double precision AS seconds
    FROM notifications n
    JOIN alerts a ON a.id = n.alert_id
    CROSS JOIN LATERAL (
        SELECT min(arrival) AS arrival
        FROM (SELECT arrival FROM readings
              WHERE device_id = ANY(a.devices) AND metric_id = ANY(a.metrics) AND time = a.fired_at
              UNION ALL
              SELECT arrival FROM events
              WHERE device_id = ANY(a.devices) AND metric_id = ANY(a.metrics) AND time = a.fired_at
             ) AS cause
    ) AS heard
    WHERE n.channel = %(channel)s AND n.occasion = 'opened' AND n.delivered_at >= %(after)s
      AND heard.arrival IS NOT NULL
) AS measured
