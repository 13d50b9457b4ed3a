-- The last messages of somebody who is not registered, the newest first. Not those in which a registered
-- device speaks too: they may hold somebody's values (as in rejected_one.sql).
SELECT arrival, topic, payload
FROM rejected_messages
WHERE community = %(community)s AND arrival >= %(since)s AND unknown IS NOT NULL
  AND device_id IS NULL AND NOT partial
  AND EXISTS (SELECT FROM unnest(unknown) AS address WHERE lower(address) = lower(%(address)s))
ORDER BY arrival DESC, id DESC
LIMIT %(limit)s
