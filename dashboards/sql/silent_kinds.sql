SELECT
    kind,
    dashboard.word(grid_name, ${lang:sqlstring}) AS grid,
    silent::bigint AS silent,
    never_heard::bigint AS never_heard,
    total::bigint AS total,
    extract(epoch FROM now() - silent_since)::double precision AS longest
FROM dashboard.devices
WHERE devices.silent > 0 AND community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
ORDER BY devices.silent / devices.total DESC, devices.silent DESC, kind, grid
LIMIT 200
