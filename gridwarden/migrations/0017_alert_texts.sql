-- The texts of an alert as they were when it was opened. plain_title: the title without what was seen
-- and where, for those who may not know it; NULL where it is the title. advice: NULL in older alerts,
-- whose rule has it.
ALTER TABLE alerts
    ADD COLUMN plain_title jsonb,
    ADD COLUMN advice jsonb;

-- What is said of an alert in a home, or of several sensors, tells neither value nor whose it is.
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
    CASE
        WHEN personal.is THEN NULL
        WHEN a.household_id IS NOT NULL OR a.subject_kind <> 'device'
            THEN coalesce(a.plain_title, a.title)
        ELSE a.title
    END AS title,
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
