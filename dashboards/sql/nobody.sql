SELECT
    severity,
    category,
    dashboard.word(place, ${lang:sqlstring}) AS place,
    route_reason,
    extract(epoch FROM now() - opened_at)::double precision AS waiting
FROM dashboard.standing_alerts
WHERE state = 'open' AND responsible = '[]'
    AND community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
ORDER BY array_position(ARRAY['red', 'orange', 'yellow', 'blue'], severity), opened_at
LIMIT 200
