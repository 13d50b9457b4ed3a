-- Devices with their gateways, where they are and what they said last; retired ones where asked for.
SELECT communities.code AS community, devices.code, devices.kind, devices.name, devices.address,
       areas.code AS area, households.code AS household, gateways.code AS gateway,
       devices.interval_us, devices.retired_at, said.heard, said.left_at, said.battery, said.battery_low
FROM devices
JOIN areas AS communities ON communities.id = devices.community_id
LEFT JOIN devices AS gateways ON gateways.id = devices.gateway_id
LEFT JOIN placements ON placements.device_id = devices.id AND placements.valid_to IS NULL
LEFT JOIN areas ON areas.id = placements.area_id
LEFT JOIN households ON households.id = placements.household_id
CROSS JOIN LATERAL (
    SELECT max(time) AS heard,
           max(time) FILTER (WHERE metric_id = %(heartbeat)s AND value = 0) AS left_at,
           max(value) FILTER (WHERE metric_id = %(battery)s) AS battery,
           max(value) FILTER (WHERE metric_id = %(battery_low)s) AS battery_low
    FROM latest_readings
    WHERE device_id = devices.id
) AS said
WHERE (%(retired)s OR devices.retired_at IS NULL)
  AND (%(community)s::text IS NULL OR communities.code = %(community)s)
  AND (%(code)s::text IS NULL OR devices.code = %(code)s
       OR devices.id = (
           SELECT own.gateway_id FROM devices AS own
           WHERE own.community_id = devices.community_id AND own.code = %(code)s
       ))
ORDER BY communities.code, devices.code
