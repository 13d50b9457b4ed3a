-- Devices with the place where they are, or last were, in service or not.
SELECT DISTINCT ON (d.id) d.id, d.code, c.code AS community, d.kind, p.area_id, p.household_id,
       d.interval_us, d.metrics, d.name
FROM devices d
JOIN areas c ON c.id = d.community_id
JOIN placements p ON p.device_id = d.id
WHERE d.id = ANY(%(ids)s)
ORDER BY d.id, p.valid_from DESC
