-- Every device with an address has an open row, which begins after any earlier one.
INSERT INTO device_addresses (device_id, address, valid_from)
SELECT devices.id, wanted.address,
       greatest(%(now)s, earlier.ended, earlier.began + interval '1 microsecond')
FROM jsonb_to_recordset(%(rows)s) AS wanted (community text, code text, address text)
JOIN areas AS communities ON communities.code = wanted.community
JOIN devices ON devices.community_id = communities.id AND devices.code = wanted.code
LEFT JOIN LATERAL (
    SELECT max(valid_to) AS ended, max(valid_from) AS began
    FROM device_addresses
    WHERE device_id = devices.id
) AS earlier ON true
WHERE wanted.address IS NOT NULL
  AND NOT EXISTS (
    SELECT FROM device_addresses WHERE device_id = devices.id AND valid_to IS NULL
  )
