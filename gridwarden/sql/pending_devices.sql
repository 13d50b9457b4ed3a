-- Devices that were heard from and are not registered, the newest first, with their last message; its
-- payload is left out where a registered device speaks in it too (as in rejected_one.sql).
SELECT rejected.community, rejected.address, count(*) AS messages, min(arrival) AS first_heard,
       max(arrival) AS last_heard, (array_agg(topic ORDER BY arrival DESC, id DESC))[1] AS topic,
       (array_agg(CASE WHEN private THEN ''::bytea ELSE payload END
           ORDER BY arrival DESC, id DESC))[1] AS payload
FROM (
    SELECT id, community, arrival, topic, payload, device_id IS NOT NULL OR partial AS private,
           unnest(unknown) AS address
    FROM rejected_messages
    WHERE unknown IS NOT NULL AND arrival >= %(since)s
      AND (%(community)s::text IS NULL OR community = %(community)s)
) AS rejected
WHERE NOT EXISTS (
    SELECT FROM devices
    JOIN areas ON areas.id = devices.community_id
    WHERE areas.code = rejected.community AND devices.retired_at IS NULL
      AND (devices.code = rejected.address OR lower(devices.address) = lower(rejected.address))
)
GROUP BY rejected.community, rejected.address
ORDER BY last_heard DESC, rejected.community, rejected.address
LIMIT %(limit)s
