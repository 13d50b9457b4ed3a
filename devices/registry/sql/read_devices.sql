SELECT communities.code AS community, devices.code, devices.kind, areas.code AS area,
       households.code AS household, devices.interval_us, devices.metrics, devices.name,
       devices.attributes, devices.address, gateways.code AS gateway,
       devices.retired_at IS NOT NULL AS retired
FROM devices
JOIN areas AS communities ON communities.id = devices.community_id
LEFT JOIN devices AS gateways ON gateways.id = devices.gateway_id
LEFT JOIN placements ON placements.device_id = devices.id AND placements.valid_to IS NULL
LEFT JOIN areas ON areas.id = placements.area_id
LEFT JOIN households ON households.id = placements.household_id
