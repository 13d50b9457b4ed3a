-- Rejected messages, the newest first; no payloads and no details: they may hold values.
SELECT m.id, m.arrival, split_part(m.topic, '/', 3) AS community, d.code AS device, m.topic,
       m.reason, m.partial, octet_length(m.payload) AS bytes, m.retried_at, m.retried_by
FROM rejected_messages m
LEFT JOIN devices d ON d.id = m.device_id
WHERE (%(retried)s OR m.retried_at IS NULL)
  AND (%(reason)s::text IS NULL OR m.reason = %(reason)s)
  AND (%(community)s::text IS NULL OR split_part(m.topic, '/', 3) = %(community)s)
  AND (%(since)s::timestamptz IS NULL OR m.arrival >= %(since)s)
ORDER BY m.id DESC
LIMIT %(limit)s
