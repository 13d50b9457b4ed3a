INSERT INTO audit_log (at, member_id, action, alert_id)
SELECT %(now)s, %(member)s, %(action)s, looked.alert_id
  FROM unnest(%(alerts)s::bigint[]) AS looked (alert_id)
 WHERE NOT EXISTS (
     SELECT FROM audit_log a
      WHERE a.alert_id = looked.alert_id AND a.member_id = %(member)s AND a.action = %(action)s
        AND a.at > %(since)s)
