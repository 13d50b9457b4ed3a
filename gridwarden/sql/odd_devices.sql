-- Registered devices of whose conduct anything is kept; only those of the community or code named.
SELECT communities.code AS community, devices.code AS code, device_conduct.*
FROM device_conduct
JOIN devices ON devices.id = device_conduct.device_id AND devices.retired_at IS NULL
JOIN areas AS communities ON communities.id = devices.community_id
WHERE (%(community)s::text IS NULL OR communities.code = %(community)s)
  AND (%(code)s::text IS NULL OR devices.code = %(code)s)
ORDER BY communities.code, devices.code
