-- All of the selected devices in one row, and how many of them do not add up or have more messages kept
-- as rejected than were counted.
WITH kept AS (
    SELECT coalesce(device_id, 0) AS device_id, reason,
           count(*) FILTER (WHERE NOT partial) AS whole, count(*) FILTER (WHERE partial) AS part
    FROM rejected_messages WHERE retried_at IS NULL
    GROUP BY 1, 2
), selected AS (
    SELECT l.*, (SELECT coalesce(sum(whole), 0) FROM kept k WHERE k.device_id = l.device_id) AS kept
    FROM ledger l
    LEFT JOIN devices d ON d.id = l.device_id
    LEFT JOIN areas a ON a.id = d.community_id
    WHERE (%(community)s::text IS NULL OR a.code = %(community)s)
      AND (%(device)s::text IS NULL OR d.code = %(device)s)
), reasons AS (
    SELECT reason, sum(whole) AS whole, sum(part) AS part
    FROM kept JOIN selected USING (device_id) GROUP BY reason
)
SELECT count(*) AS devices, coalesce(sum(received), 0)::bigint AS received,
       coalesce(sum(stored), 0)::bigint AS stored, coalesce(sum(duplicate), 0)::bigint AS duplicate,
       coalesce(sum(rejected), 0)::bigint AS rejected, max(last_heard) AS last_heard,
       coalesce((SELECT jsonb_object_agg(reason, whole) FILTER (WHERE whole > 0) FROM reasons), '{}')
           AS reasons,
       coalesce((SELECT sum(part) FROM reasons), 0)::bigint AS in_part,
       count(*) FILTER (WHERE received <> stored + duplicate + rejected) AS unbalanced,
       count(*) FILTER (WHERE kept > rejected) AS overfull
FROM selected
