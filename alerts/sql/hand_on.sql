UPDATE alerts
SET state = 'open', acknowledged_at = NULL, acknowledged_by = NULL, route_reason = %(reason)s
WHERE id = %(alert)s
