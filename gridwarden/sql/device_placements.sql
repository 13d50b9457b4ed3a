-- Where a device was, from when to when.
SELECT areas.code AS area, households.code AS household, placements.valid_from, placements.valid_to
FROM placements
JOIN areas ON areas.id = placements.area_id
LEFT JOIN households ON households.id = placements.household_id
WHERE placements.device_id = %(device)s
ORDER BY placements.valid_from
