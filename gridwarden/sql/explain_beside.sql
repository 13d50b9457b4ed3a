-- Every rule that was in force when the alert was opened, but the alert's own.
SELECT source, line, text, valid_from, valid_to
FROM rules
WHERE code <> %(code)s AND valid_from <= %(opened)s
    AND (valid_to IS NULL OR valid_to > %(opened)s)
ORDER BY code
