SELECT
    count(*) FILTER (WHERE severity = 'red') AS red,
    count(*) FILTER (WHERE severity = 'orange') AS orange,
    count(*) FILTER (WHERE severity = 'yellow') AS yellow,
    count(*) FILTER (WHERE severity = 'blue') AS blue
FROM dashboard.standing_alerts
WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
