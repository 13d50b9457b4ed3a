-- Where all that is staged of a series is newer than its latest reading, that moves on. Gives the
-- other series: those not known until now, and those with something as old as what is stored.
WITH newer AS (
    UPDATE latest_readings l SET time = s.time, value = s.value
    FROM staged_latest s
    WHERE l.device_id = s.device_id AND l.metric_id = s.metric_id AND l.time < s.oldest
    RETURNING s.series
)
SELECT series FROM staged_latest
WHERE series NOT IN (SELECT series FROM newer);
