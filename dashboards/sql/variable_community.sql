SELECT DISTINCT
    coalesce(dashboard.word(community_name, ${lang:sqlstring}), '-') AS __text,
    community AS __value
FROM dashboard.places
UNION
SELECT '-', '-'
ORDER BY 1
