SELECT e.at, e.kind, e.reason, e.detail, m.name AS member
  FROM alert_events e LEFT JOIN members m ON m.id = e.member_id
 WHERE e.alert_id = %(alert)s
 ORDER BY e.id
