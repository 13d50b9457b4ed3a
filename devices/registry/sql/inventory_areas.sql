SELECT id, code, kind, parent_id, name FROM areas WHERE retired_at IS NULL
