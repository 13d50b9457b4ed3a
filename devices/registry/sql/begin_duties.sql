INSERT INTO duties (member_id, area_id, role, categories, valid_from, valid_to)
SELECT members.id, areas.id, wanted.role, wanted.categories, wanted.valid_from, wanted.valid_to
FROM jsonb_to_recordset(%(rows)s)
    AS wanted (member text, area text, role text, categories text[], valid_from timestamptz,
               valid_to timestamptz)
JOIN members ON members.code = wanted.member
JOIN areas ON areas.code = wanted.area
