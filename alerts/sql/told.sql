-- Which transitions of these spans had their effect before, on which alert, and whether that one was
-- withdrawn: it ended without a person and without its sensor.
SELECT t.rule_code, t.subject_kind, t.subject_id, t.change, t.since, t.at, t.alert_id,
       a.state = 'closed' AND a.closed_by IS NULL AS withdrawn
FROM alert_transitions t JOIN alerts a ON a.id = t.alert_id
WHERE (t.rule_code, t.subject_kind, t.subject_id, t.since) IN
      (SELECT * FROM unnest(%(rules)s::text[], %(kinds)s::text[], %(subjects)s::integer[],
                            %(sinces)s::timestamptz[]))
