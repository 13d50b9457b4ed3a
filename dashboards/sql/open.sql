SELECT count(*) AS open
FROM dashboard.standing_alerts
WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
    AND state = 'open'
