-- Every rule in force, with how many of its alerts need a person now.
SELECT r.code, r.fingerprint, r.text, count(a.id) AS standing
FROM rules r
LEFT JOIN alerts a ON a.rule_code = r.code AND a.state IN ('open', 'acknowledged')
WHERE r.valid_to IS NULL
GROUP BY r.id
ORDER BY r.code
