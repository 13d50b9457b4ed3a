SELECT DISTINCT coalesce(dashboard.word(grid_name, ${lang:sqlstring}), '-') AS __text, grid AS __value
FROM dashboard.places
WHERE community IN (${community:sqlstring})
UNION
SELECT '-', '-'
ORDER BY 1
