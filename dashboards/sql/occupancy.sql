SELECT
    concat_ws(' · ', dashboard.word(community_name, ${lang:sqlstring}),
              dashboard.word(grid_name, ${lang:sqlstring})) AS grid,
    100.0 * occupied / nullif(known, 0) AS occupied,
    known,
    spaces - known AS unknown
FROM dashboard.parking
WHERE community IN (${community:sqlstring}) AND grid IN (${grid:sqlstring})
ORDER BY 1
