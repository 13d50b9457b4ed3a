INSERT INTO households (code, area_id, name, care, away)
SELECT wanted.code, areas.id, wanted.name, wanted.care, wanted.away
FROM jsonb_to_recordset(%(rows)s)
    AS wanted (code text, area text, name jsonb, care boolean, away boolean)
JOIN areas ON areas.code = wanted.area
ON CONFLICT (code) DO UPDATE
SET area_id = excluded.area_id,
    name = excluded.name,
    care = excluded.care,
    away = excluded.away,
    retired_at = NULL
