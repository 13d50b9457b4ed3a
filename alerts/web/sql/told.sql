-- Everybody who must act on or was told of an alert, and how each message fared.
SELECT m.name, m.code, r.role, r.reason, area.name AS area, n.channel, n.occasion, n.state,
       n.created_at, n.attempts, n.delivered_at, n.read_at, last.outcome AS last_outcome,
       last.detail AS last_detail
  FROM alert_recipients r
  FULL JOIN notifications n ON n.alert_id = r.alert_id AND n.member_id = r.member_id
  JOIN members m ON m.id = COALESCE(r.member_id, n.member_id)
  LEFT JOIN areas area ON area.id = r.area_id
  LEFT JOIN LATERAL (
      SELECT outcome, detail FROM notification_attempts t
       WHERE t.notification_id = n.id ORDER BY t.id DESC LIMIT 1) last ON true
 WHERE COALESCE(r.alert_id, n.alert_id) = %(alert)s
 ORDER BY m.code, n.created_at, n.channel DESC
