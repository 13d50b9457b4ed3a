-- Names and attributes as texts, metrics in one: they are taken apart when they are asked for.
SELECT devices.id, devices.code, communities.code, devices.kind, placements.area_id,
       placements.household_id, devices.interval_us, array_to_string(devices.metrics, ' '),
       devices.name::text, devices.attributes::text, devices.address, gateways.id
FROM devices
JOIN areas AS communities ON communities.id = devices.community_id
JOIN placements ON placements.device_id = devices.id AND placements.valid_to IS NULL
LEFT JOIN devices AS gateways
    ON gateways.id = devices.gateway_id AND gateways.retired_at IS NULL
WHERE devices.retired_at IS NULL
ORDER BY devices.id
