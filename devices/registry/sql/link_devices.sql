-- The gateways of these devices; a gateway is of the same community.
UPDATE devices
SET gateway_id = gateways.id
FROM jsonb_to_recordset(%(rows)s) AS wanted (community text, code text, gateway text)
JOIN areas AS communities ON communities.code = wanted.community
LEFT JOIN devices AS gateways
    ON gateways.community_id = communities.id AND gateways.code = wanted.gateway
WHERE devices.community_id = communities.id
  AND devices.code = wanted.code
  AND devices.gateway_id IS DISTINCT FROM gateways.id
