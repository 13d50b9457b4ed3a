UPDATE alerts
SET state = 'closed', closed_at = %(now)s, closed_by = %(member)s, outcome = %(outcome)s,
    note = %(note)s
WHERE id = %(alert)s
