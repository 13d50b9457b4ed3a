SELECT id, code, name, language FROM members WHERE retired_at IS NULL ORDER BY id
