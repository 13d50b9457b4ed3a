SELECT severity, state, count(*) FROM alerts
WHERE state IN ('open', 'acknowledged') GROUP BY severity, state
