-- Standing alerts of rules that are no longer in force, each with the rule's last text.
SELECT a.subject_kind, a.subject_id, a.since, r.source, r.line, r.text
FROM alerts a
CROSS JOIN LATERAL (
    SELECT source, line, text, valid_to FROM rules
    WHERE code = a.rule_code ORDER BY valid_from DESC, id DESC LIMIT 1
) r
WHERE a.state IN ('open', 'acknowledged') AND r.valid_to IS NOT NULL
ORDER BY a.id
