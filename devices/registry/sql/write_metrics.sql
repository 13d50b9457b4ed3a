INSERT INTO metrics (id, name, unit, kind, label)
SELECT id, name, unit, kind, label
FROM jsonb_to_recordset(%(rows)s)
    AS known (id smallint, name text, unit text, kind text, label jsonb)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, unit = excluded.unit, kind = excluded.kind, label = excluded.label
WHERE (metrics.name, metrics.unit, metrics.kind, metrics.label)
    IS DISTINCT FROM (excluded.name, excluded.unit, excluded.kind, excluded.label)
