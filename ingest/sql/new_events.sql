SELECT s.row FROM staged_events s, LATERAL (
    SELECT FROM events e
    WHERE e.device_id = s.device_id AND e.metric_id = s.metric_id AND e.time = s.time
      AND e.digest = s.digest AND e.time BETWEEN %(first)s AND %(last)s AND e.seq = %(seq)s
    LIMIT 1
) AS stored;
