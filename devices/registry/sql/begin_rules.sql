INSERT INTO rules (code, fingerprint, source, line, text, valid_from)
SELECT code, fingerprint, source, line, text, %(now)s
FROM jsonb_to_recordset(%(rows)s)
    AS wanted (code text, fingerprint text, source text, line integer, text text)
