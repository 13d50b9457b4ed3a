-- Rejected messages to decode again, locked: who else is at it meanwhile passes them over.
SELECT id, arrival, topic, payload, coalesce(device_id, 0), partial
FROM rejected_messages
WHERE retried_at IS NULL AND id > %(after)s AND id <= %(last)s
  AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
  AND (%(community)s::text IS NULL OR split_part(topic, '/', 3) = %(community)s)
ORDER BY id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
