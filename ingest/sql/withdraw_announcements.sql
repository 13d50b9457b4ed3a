DELETE FROM announcements
USING unnest(%(communities)s::text[], %(formats)s::text[], %(subjects)s::text[])
    AS gone (community, format, subject)
WHERE announcements.community = gone.community AND announcements.format = gone.format
  AND announcements.subject = gone.subject
