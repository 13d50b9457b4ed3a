-- Which of these rows are there with another value.
SELECT said.row
FROM unnest(%(devices)s::integer[], %(metrics)s::smallint[], %(times)s::timestamptz[],
            %(values)s::double precision[])
    WITH ORDINALITY AS said (device_id, metric_id, time, value, row), LATERAL (
    SELECT FROM readings r
    WHERE r.device_id = said.device_id AND r.metric_id = said.metric_id AND r.time = said.time
      AND r.time BETWEEN %(first)s AND %(last)s AND r.value <> said.value
    LIMIT 1
) AS stored
