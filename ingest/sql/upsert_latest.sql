-- Gives the series of which a reading as old as the oldest staged one may be stored already.
-- LATERAL with LIMIT holds the planner to one look at the primary key per staged row.
WITH known AS (
    SELECT s.series FROM staged_latest s, LATERAL (
        SELECT time FROM latest_readings l
        WHERE l.device_id = s.device_id AND l.metric_id = s.metric_id
        LIMIT 1
    ) AS until_now
    WHERE until_now.time >= s.oldest
), moved AS (
    INSERT INTO latest_readings AS l (device_id, metric_id, time, value)
    SELECT device_id, metric_id, time, value FROM staged_latest ORDER BY series
    ON CONFLICT (device_id, metric_id) DO UPDATE
        SET time = excluded.time, value = excluded.value
        WHERE l.time < excluded.time
)
SELECT series FROM known;
