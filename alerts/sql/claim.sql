-- The next notifications of a channel that are due, the gravest first, leased for a while:
-- if this process dies, they are due again then. Nothing stays locked while they are being sent.
-- Nothing is ever put off as far as %(too_far)s: what seems to be is due, for the clock was set back.
WITH due AS (
    SELECT n.id, a.severity, a.opened_at, a.state AS alert_state,
           a.closed_by IS NOT NULL AS by_person,
           array_position(ARRAY['red', 'orange', 'yellow', 'blue'], a.severity) AS gravity
    FROM notifications n JOIN alerts a ON a.id = n.alert_id
    WHERE n.state = 'queued' AND n.channel = %(channel)s
      AND (n.next_attempt_at <= %(now)s OR n.next_attempt_at > %(too_far)s)
      AND n.id <> ALL(%(sending)s)
    ORDER BY gravity, n.next_attempt_at, n.id
    LIMIT %(limit)s
    FOR UPDATE OF n SKIP LOCKED
), claimed AS (
    UPDATE notifications n SET next_attempt_at = %(lease_until)s
    FROM due WHERE n.id = due.id
    RETURNING n.*, due.gravity, due.severity, due.opened_at, due.alert_state, due.by_person
)
SELECT c.id, c.message_id, c.alert_id, c.member_id, m.code AS member_code, c.occasion, c.body,
       c.attempts, c.opened_at, c.severity, c.alert_state, c.by_person,
       m.retired_at IS NULL AS in_service
FROM claimed c JOIN members m ON m.id = c.member_id
ORDER BY c.gravity, c.id
