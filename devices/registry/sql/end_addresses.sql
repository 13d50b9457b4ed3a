-- A device that the site calls otherwise has lost the address that it had.
UPDATE device_addresses
SET valid_to = greatest(%(now)s, device_addresses.valid_from)
FROM jsonb_to_recordset(%(rows)s) AS wanted (community text, code text, address text)
JOIN areas AS communities ON communities.code = wanted.community
JOIN devices ON devices.community_id = communities.id AND devices.code = wanted.code
WHERE device_addresses.device_id = devices.id
  AND device_addresses.valid_to IS NULL
  AND device_addresses.address IS DISTINCT FROM wanted.address
