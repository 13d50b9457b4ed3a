-- Who was told of these alerts, and who has them.
SELECT alert_id, member_id FROM alert_recipients WHERE alert_id = ANY(%(alerts)s)
UNION
SELECT alert_id, member_id FROM notifications WHERE alert_id = ANY(%(alerts)s)
UNION
SELECT id, acknowledged_by FROM alerts
WHERE id = ANY(%(alerts)s) AND acknowledged_by IS NOT NULL
ORDER BY alert_id, member_id
