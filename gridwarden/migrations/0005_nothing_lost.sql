-- A rule or a subject that was withdrawn and is back finds the same span again: a new alert.
DROP INDEX alerts_identity;
CREATE UNIQUE INDEX alerts_identity ON alerts (rule_code, subject_kind, subject_id, since)
    WHERE state <> 'closed' OR closed_by IS NOT NULL;

-- A message that lost its point while it waited is not sent, and says so.
ALTER TABLE notifications
    DROP CONSTRAINT notifications_state_check,
    ADD CONSTRAINT notifications_state_check
        CHECK (state IN ('queued', 'delivered', 'rejected', 'dropped'));

-- Who looked at this alert lately?
CREATE INDEX audit_log_by_alert ON audit_log (alert_id, member_id, at);

-- Of an alert about care only the category and the grid are told, wherever its sensor is; and who has
-- left the service answers for nothing.
CREATE OR REPLACE VIEW dashboard.standing_alerts AS
SELECT
    a.id,
    a.opened_at,
    a.severity,
    a.category,
    a.state,
    a.silent_since,
    a.route_reason,
    p.community,
    p.grid,
    p.community_name,
    p.grid_name,
    CASE WHEN personal.is THEN p.grid_name ELSE p.name END AS place,
    CASE WHEN personal.is THEN NULL ELSE a.title END AS title,
    coalesce(told.names, '[]') AS responsible,
    holder.name AS acknowledged_by
FROM alerts a
JOIN dashboard.places p USING (area_id)
CROSS JOIN LATERAL (
    SELECT a.category = 'care'
        OR (a.household_id IS NOT NULL AND a.category NOT IN ('fire', 'safety')) AS is
) personal
LEFT JOIN members holder ON holder.id = a.acknowledged_by
LEFT JOIN LATERAL (
    SELECT jsonb_agg(m.name ORDER BY m.id) AS names
    FROM alert_recipients r JOIN members m ON m.id = r.member_id
    WHERE r.alert_id = a.id AND m.retired_at IS NULL
) told ON true
WHERE a.state IN ('open', 'acknowledged');
