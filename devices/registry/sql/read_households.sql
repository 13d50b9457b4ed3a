SELECT households.code, areas.code AS area, households.name, households.care, households.away,
       households.retired_at IS NOT NULL AS retired
FROM households
JOIN areas ON areas.id = households.area_id
