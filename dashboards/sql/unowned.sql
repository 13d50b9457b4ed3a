SELECT count(*) AS nobody
FROM dashboard.standing_alerts
WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
    AND state = 'open' AND responsible = '[]'
