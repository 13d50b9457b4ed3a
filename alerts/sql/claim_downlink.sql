-- The next downlinks that are due, as claim.sql has it of notifications. overtaken: the device has
-- been told, or is to be told, something newer of the same alert.
WITH due AS (
    SELECT l.id, a.opened_at,
           array_position(ARRAY['red', 'orange', 'yellow', 'blue'], a.severity) AS gravity
    FROM downlinks l JOIN alerts a ON a.id = l.alert_id
    WHERE l.state = 'queued'
      AND (l.next_attempt_at <= %(now)s OR l.next_attempt_at > %(too_far)s)
      AND l.id <> ALL(%(sending)s)
    ORDER BY gravity, l.next_attempt_at, l.id
    LIMIT %(limit)s
    FOR UPDATE OF l SKIP LOCKED
), claimed AS (
    UPDATE downlinks l SET next_attempt_at = %(lease_until)s
    FROM due WHERE l.id = due.id
    RETURNING l.*, due.gravity, due.opened_at
)
SELECT c.id, c.message_id, c.alert_id, c.told, c.at, c.attempts, c.opened_at,
       d.code AS device_code, d.interval_us, d.retired_at IS NULL AS in_service,
       community.code AS community,
       EXISTS (SELECT FROM downlinks newer
               WHERE newer.alert_id = c.alert_id AND newer.device_id = c.device_id
                 AND newer.at > c.at) AS overtaken
FROM claimed c
JOIN devices d ON d.id = c.device_id
JOIN areas community ON community.id = d.community_id
ORDER BY c.gravity, c.id
