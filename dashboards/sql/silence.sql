SELECT coalesce(sum(silent), 0)::bigint AS silent, coalesce(sum(total), 0)::bigint AS total
FROM dashboard.devices
WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
