-- These areas and all above them, retired or not.
WITH RECURSIVE above AS (
    SELECT id, code, kind, parent_id, name FROM areas WHERE id = ANY(%(ids)s)
    UNION
    SELECT r.id, r.code, r.kind, r.parent_id, r.name
    FROM areas r JOIN above ON r.id = above.parent_id
)
SELECT id, code, kind, parent_id, name FROM above
