-- Everybody who may have an account, with the account that was handed out, if any.
SELECT devices.id AS device_id, NULL::integer AS member_id, communities.code AS community,
       devices.code, devices.kind,
       devices.address IS NOT NULL OR devices.gateway_id IS NOT NULL AS spoken_for,
       devices.retired_at IS NOT NULL AS retired,
       given.client_id, given.created_at, given.rotated_at, given.revoked_at
FROM devices
JOIN areas AS communities ON communities.id = devices.community_id
LEFT JOIN broker_accounts AS given ON given.device_id = devices.id
UNION ALL
SELECT NULL, members.id, NULL, members.code, NULL, false, members.retired_at IS NOT NULL,
       given.client_id, given.created_at, given.rotated_at, given.revoked_at
FROM members
LEFT JOIN broker_accounts AS given ON given.member_id = members.id
ORDER BY community NULLS LAST, code
