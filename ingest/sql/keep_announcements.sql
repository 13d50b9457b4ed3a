INSERT INTO announcements (community, format, subject, state, seq)
SELECT community, format, subject, state, %(seq)s
FROM unnest(%(communities)s::text[], %(formats)s::text[], %(subjects)s::text[], %(states)s::bytea[])
    AS announced (community, format, subject, state)
ON CONFLICT (community, format, subject) DO UPDATE
SET state = excluded.state, seq = excluded.seq
