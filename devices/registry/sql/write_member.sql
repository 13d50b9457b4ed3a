INSERT INTO members (code, name, phone, language)
SELECT code, name, phone, language
FROM jsonb_to_recordset(%(rows)s) AS wanted (code text, name jsonb, phone text, language text)
ON CONFLICT (code) DO UPDATE
SET name = excluded.name,
    phone = excluded.phone,
    language = excluded.language,
    retired_at = NULL
