INSERT INTO alert_recipients (alert_id, member_id, role, area_id, reason)
VALUES (%(alert_id)s, %(member_id)s, %(role)s, %(area_id)s, %(reason)s)
ON CONFLICT (alert_id, member_id) DO NOTHING
