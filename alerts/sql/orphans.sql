-- Standing alerts that nobody in service has or was told to act on, and those that their holder left.
-- What another process is just dealing with is left to it. community: '' where it lies in none.
SELECT a.id, a.state, a.rule_code, a.severity, a.category, a.title,
       coalesce(a.plain_title, a.title) AS plain_title, a.subject_kind, a.subject_id,
       a.since, a.value, told.members, lies_in.community
FROM alerts a
LEFT JOIN members holder ON holder.id = a.acknowledged_by
CROSS JOIN LATERAL (
    SELECT array_agg(m.id ORDER BY m.id) AS members
    FROM alert_recipients r JOIN members m ON m.id = r.member_id
    WHERE r.alert_id = a.id AND m.retired_at IS NULL
) told
CROSS JOIN LATERAL (
    WITH RECURSIVE above AS (
        SELECT code, kind, parent_id FROM areas WHERE id = a.area_id
        UNION ALL
        SELECT r.code, r.kind, r.parent_id FROM areas r JOIN above ON r.id = above.parent_id
    )
    SELECT coalesce(max(code) FILTER (WHERE kind = 'community'), '') AS community FROM above
) lies_in
WHERE a.state IN ('open', 'acknowledged')
  AND (holder.retired_at IS NOT NULL OR (holder.id IS NULL AND told.members IS NULL))
ORDER BY a.id
FOR UPDATE OF a SKIP LOCKED
