SELECT d.member_id, d.area_id, d.role, d.categories, d.valid_from, d.valid_to
FROM duties d JOIN members m ON m.id = d.member_id
WHERE m.retired_at IS NULL
ORDER BY d.id
