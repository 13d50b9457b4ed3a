-- Areas as the site says; parents follow in link_areas.sql, when all of them exist.
INSERT INTO areas (code, kind, name)
SELECT code, kind, name
FROM jsonb_to_recordset(%(rows)s) AS wanted (code text, kind text, name jsonb)
ON CONFLICT (code) DO UPDATE
SET kind = excluded.kind, name = excluded.name, retired_at = NULL
