-- Standing alerts of rules that are no longer in force, each with the rule's last text and its
-- community ('': none).
SELECT lies_in.community, a.subject_kind, a.subject_id, a.since, r.source, r.line, r.text
FROM alerts a
CROSS JOIN LATERAL (
    SELECT source, line, text, valid_to FROM rules
    WHERE code = a.rule_code ORDER BY valid_from DESC, id DESC LIMIT 1
) r
CROSS JOIN LATERAL (
    WITH RECURSIVE above AS (
        SELECT code, kind, parent_id FROM areas WHERE id = a.area_id
        UNION ALL
        SELECT r.code, r.kind, r.parent_id FROM areas r JOIN above ON r.id = above.parent_id
    )
    SELECT coalesce(max(code) FILTER (WHERE kind = 'community'), '') AS community FROM above
) lies_in
WHERE a.state IN ('open', 'acknowledged') AND r.valid_to IS NOT NULL
ORDER BY a.id
