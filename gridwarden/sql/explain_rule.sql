-- The rule as it was: of equal meanings the text that was in force when the alert was opened.
SELECT source, line, text, valid_from, valid_to
FROM rules
WHERE code = %(code)s AND fingerprint = %(fingerprint)s
ORDER BY valid_from <= %(opened)s DESC, valid_from DESC
LIMIT 1
