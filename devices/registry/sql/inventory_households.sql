SELECT id, code, area_id, name::text, care, away FROM households WHERE retired_at IS NULL ORDER BY id
