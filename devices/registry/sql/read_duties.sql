SELECT duties.id, members.code AS member, areas.code AS area, duties.role, duties.categories,
       duties.valid_from, duties.valid_to
FROM duties
JOIN members ON members.id = duties.member_id
JOIN areas ON areas.id = duties.area_id
ORDER BY members.code, areas.code, duties.role, duties.valid_from, duties.id
