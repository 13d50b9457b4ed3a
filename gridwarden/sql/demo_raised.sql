SELECT rule_code, fired_at, LEAST(cleared_at, closed_at) AS ended_at, household_id, metrics,
       CASE WHEN device_id IS NULL THEN devices ELSE devices || device_id END AS devices
FROM alerts WHERE id > %s OR state IN ('open', 'acknowledged')
