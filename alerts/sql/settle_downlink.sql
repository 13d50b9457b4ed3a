-- What came of an attempt, as settle.sql has it of notifications; pages that show the alert are woken.
WITH settled AS (
    UPDATE downlinks
    SET state = %(state)s, attempts = attempts + 1, delivered_at = %(delivered_at)s,
        next_attempt_at = coalesce(%(next_attempt_at)s, next_attempt_at)
    WHERE id = %(id)s AND state = 'queued'
    RETURNING alert_id
), watching AS (
    SELECT r.member_id FROM alert_recipients r JOIN settled s ON r.alert_id = s.alert_id
    UNION
    SELECT a.acknowledged_by FROM alerts a JOIN settled s ON a.id = s.alert_id
    WHERE a.acknowledged_by IS NOT NULL
)
SELECT pg_notify('gridwarden_inbox', member_id::text) FROM watching
