-- Of the staged readings, by number: those that this batch has added, and those that were there with
-- another value. LATERAL with LIMIT holds the planner to one look at the unique key per staged row.
SELECT array_agg(s.row) FILTER (WHERE stored.seq = %(seq)s),
       array_agg(s.row) FILTER (WHERE stored.value <> s.value)
FROM staged_readings s, LATERAL (
    SELECT r.seq, r.value FROM readings r
    WHERE r.device_id = s.device_id AND r.metric_id = s.metric_id AND r.time = s.time
      AND r.time BETWEEN %(first)s AND %(last)s
    LIMIT 1
) AS stored
