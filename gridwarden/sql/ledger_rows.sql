-- The ledger by device, the most rejected share first; with what is still kept of the rejected ones.
WITH kept AS (
    SELECT coalesce(device_id, 0) AS device_id, reason,
           count(*) FILTER (WHERE NOT partial) AS whole, count(*) FILTER (WHERE partial) AS part
    FROM rejected_messages WHERE retried_at IS NULL
    GROUP BY 1, 2
), reasons AS (
    SELECT device_id, coalesce(jsonb_object_agg(reason, whole) FILTER (WHERE whole > 0), '{}') AS reasons,
           sum(part)::bigint AS in_part
    FROM kept GROUP BY device_id
)
SELECT coalesce(a.code, '') AS community, coalesce(d.code, '') AS device,
       l.received, l.stored, l.duplicate, l.rejected, l.last_heard,
       coalesce(r.reasons, '{}') AS reasons, coalesce(r.in_part, 0) AS in_part
FROM ledger l
LEFT JOIN devices d ON d.id = l.device_id
LEFT JOIN areas a ON a.id = d.community_id
LEFT JOIN reasons r ON r.device_id = l.device_id
WHERE (%(community)s::text IS NULL OR a.code = %(community)s)
  AND (%(device)s::text IS NULL OR d.code = %(device)s)
ORDER BY l.rejected::double precision / greatest(l.received, 1) DESC, l.rejected DESC, l.device_id
LIMIT %(limit)s
