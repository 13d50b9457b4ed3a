UPDATE alerts
SET state = 'acknowledged', acknowledged_at = %(now)s, acknowledged_by = %(member)s
WHERE id = %(alert)s
