-- What happened to an alert, in order; where a device was told of it, which one and how that fared.
SELECT e.at, e.kind, e.reason, e.detail, m.name AS member,
       d.name AS device, l.state AS sending, l.attempts, l.delivered_at,
       last.detail AS last_detail
  FROM alert_events e
  LEFT JOIN members m ON m.id = e.member_id
  LEFT JOIN downlinks l ON l.event_id = e.id
  LEFT JOIN devices d ON d.id = l.device_id
  LEFT JOIN LATERAL (
      SELECT detail FROM downlink_attempts t
       WHERE t.downlink_id = l.id ORDER BY t.id DESC LIMIT 1) last ON true
 WHERE e.alert_id = %(alert)s
 ORDER BY e.id
