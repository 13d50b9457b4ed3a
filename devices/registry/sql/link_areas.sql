UPDATE areas
SET parent_id = parents.id
FROM jsonb_to_recordset(%(rows)s) AS wanted (code text, parent text)
LEFT JOIN areas AS parents ON parents.code = wanted.parent
WHERE areas.code = wanted.code AND areas.parent_id IS DISTINCT FROM parents.id
