UPDATE rules
SET valid_to = greatest(%(now)s, valid_from)
WHERE valid_to IS NULL AND code = ANY(%(codes)s)
