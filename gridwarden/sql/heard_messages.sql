-- The last messages of somebody who is not registered, the newest first.
SELECT arrival, topic, payload
FROM rejected_messages
WHERE community = %(community)s AND arrival >= %(since)s AND unknown IS NOT NULL
  AND EXISTS (SELECT FROM unnest(unknown) AS address WHERE lower(address) = lower(%(address)s))
ORDER BY arrival DESC, id DESC
LIMIT %(limit)s
