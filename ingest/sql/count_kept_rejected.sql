SELECT count(*), coalesce(max(id), 0)
FROM rejected_messages
WHERE retried_at IS NULL
  AND (%(ids)s::bigint[] IS NULL OR id = ANY(%(ids)s))
  AND (%(reason)s::text IS NULL OR reason = %(reason)s)
  AND (%(community)s::text IS NULL OR split_part(topic, '/', 3) = %(community)s)
