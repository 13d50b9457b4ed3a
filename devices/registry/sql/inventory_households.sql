SELECT id, code, area_id, name, care, away FROM households WHERE retired_at IS NULL
