SELECT
    severity,
    dashboard.word(title, ${lang:sqlstring}) AS title,
    dashboard.word(place, ${lang:sqlstring}) AS place,
    state,
    (SELECT string_agg(dashboard.word(name, ${lang:sqlstring}), ', ')
     FROM jsonb_array_elements(responsible) AS told (name)) AS responsible,
    dashboard.word(acknowledged_by, ${lang:sqlstring}) AS acknowledged_by,
    extract(epoch FROM now() - opened_at)::double precision AS waiting,
    CASE WHEN silent_since IS NULL THEN 'heard' ELSE 'unknown' END AS sensor
FROM dashboard.standing_alerts
WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
ORDER BY
    state = 'acknowledged',
    array_position(ARRAY['red', 'orange', 'yellow', 'blue'], severity),
    opened_at
LIMIT 200
