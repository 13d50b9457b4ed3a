-- Devices with where they are and when they were last heard; retired ones where asked for.
SELECT communities.code AS community, devices.code, devices.kind, devices.name, devices.address,
       areas.code AS area, households.code AS household, devices.retired_at,
       (SELECT max(time) FROM latest_readings WHERE device_id = devices.id) AS last_heard
FROM devices
JOIN areas AS communities ON communities.id = devices.community_id
LEFT JOIN placements ON placements.device_id = devices.id AND placements.valid_to IS NULL
LEFT JOIN areas ON areas.id = placements.area_id
LEFT JOIN households ON households.id = placements.household_id
WHERE (%(retired)s OR devices.retired_at IS NULL)
  AND (%(community)s::text IS NULL OR communities.code = %(community)s)
ORDER BY communities.code, devices.code
