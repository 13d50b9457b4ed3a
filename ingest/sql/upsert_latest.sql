-- Of the series that did not simply move on. Gives those of which a reading as old as the oldest
-- staged one may be stored already.
-- LATERAL with LIMIT holds the planner to one look at the primary key per staged row.
WITH rest AS MATERIALIZED (
    SELECT series, device_id, metric_id, time, value, oldest FROM staged_latest
    WHERE series = ANY(%(rest)s)
), known AS (
    SELECT r.series FROM rest r, LATERAL (
        SELECT time FROM latest_readings l
        WHERE l.device_id = r.device_id AND l.metric_id = r.metric_id
        LIMIT 1
    ) AS until_now
    WHERE until_now.time >= r.oldest
), moved AS (
    INSERT INTO latest_readings AS l (device_id, metric_id, time, value)
    SELECT device_id, metric_id, time, value FROM rest ORDER BY series
    ON CONFLICT (device_id, metric_id) DO UPDATE
        SET time = excluded.time, value = excluded.value
        WHERE l.time < excluded.time
)
SELECT series FROM known;
