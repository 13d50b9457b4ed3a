-- Standing alerts that nobody in service has or was told to act on, and those that their holder left.
-- What another process is just dealing with is left to it.
SELECT a.id, a.state, a.rule_code, a.severity, a.category, a.title, a.subject_kind, a.subject_id,
       a.since, a.value, told.members
FROM alerts a
LEFT JOIN members holder ON holder.id = a.acknowledged_by
CROSS JOIN LATERAL (
    SELECT array_agg(m.id ORDER BY m.id) AS members
    FROM alert_recipients r JOIN members m ON m.id = r.member_id
    WHERE r.alert_id = a.id AND m.retired_at IS NULL
) told
WHERE a.state IN ('open', 'acknowledged')
  AND (holder.retired_at IS NOT NULL OR (holder.id IS NULL AND told.members IS NULL))
ORDER BY a.id
FOR UPDATE OF a SKIP LOCKED
