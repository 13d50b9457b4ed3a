WITH standing AS (
    SELECT state, responsible FROM dashboard.standing_alerts
    WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
), devices AS (
    SELECT coalesce(sum(total), 0) AS total, coalesce(sum(silent), 0) AS silent
    FROM dashboard.devices
    WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
)
SELECT CASE
    WHEN EXISTS (SELECT FROM standing WHERE state = 'open' AND responsible = '[]') THEN 'nobody'
    WHEN EXISTS (SELECT FROM standing WHERE state = 'open') THEN 'needed'
    WHEN EXISTS (SELECT FROM standing) THEN 'handled'
    WHEN devices.total = 0 OR devices.silent > 0 THEN 'unknown'
    WHEN EXISTS (SELECT FROM dashboard.waiting_batches
                 WHERE committed_at < now() - interval '1 minute') THEN 'unknown'
    ELSE 'calm'
END AS verdict
FROM devices
