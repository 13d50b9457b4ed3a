-- The alerts that stand for these rules and subjects, locked against a person's answer.
SELECT a.id, a.rule_code, a.subject_kind, a.subject_id,
       a.state, a.severity, a.silent_since, a.cleared_at, a.closed_at, a.outcome
FROM alerts a
WHERE (a.rule_code, a.subject_kind, a.subject_id) IN
      (SELECT * FROM unnest(%(rules)s::text[], %(kinds)s::text[], %(subjects)s::integer[]))
  AND a.state IN ('open', 'acknowledged')
ORDER BY a.id
FOR UPDATE
