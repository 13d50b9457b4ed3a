-- Rules that mean and read the same, at another place in the files.
UPDATE rules
SET source = wanted.source, line = wanted.line
FROM jsonb_to_recordset(%(rows)s) AS wanted (code text, source text, line integer)
WHERE rules.code = wanted.code AND rules.valid_to IS NULL
