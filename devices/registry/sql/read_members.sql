SELECT code, name, phone, language, retired_at IS NOT NULL AS retired FROM members
