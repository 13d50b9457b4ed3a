-- LATERAL with LIMIT holds the planner to one look at the unique key per staged row.
SELECT s.row FROM staged_readings s, LATERAL (
    SELECT FROM readings r
    WHERE r.device_id = s.device_id AND r.metric_id = s.metric_id AND r.time = s.time
      AND r.time BETWEEN %(first)s AND %(last)s AND r.seq = %(seq)s
    LIMIT 1
) AS stored;
