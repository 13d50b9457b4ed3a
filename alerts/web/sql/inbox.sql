-- Alerts this member may see that stand, or that ended after %(ended_after)s. `mine`: they were told
-- to act or acted; `unrouted`: nobody in service answers for it (as in alerts/sql/sight.sql, which
-- decides who may act). The end is NULL while the alert stands. Should there be more than fit, the
-- ones left out are those that matter least.
WITH RECURSIVE answers_for AS (
    SELECT area_id, categories
      FROM duties
     WHERE member_id = %(member)s AND valid_from <= %(now)s
       AND (valid_to IS NULL OR %(now)s < valid_to)
     UNION
    SELECT areas.id, answers_for.categories
      FROM areas JOIN answers_for ON areas.parent_id = answers_for.area_id
), officer AS (
    SELECT EXISTS (
        SELECT FROM duties
         WHERE member_id = %(member)s AND role = %(officer)s AND valid_from <= %(now)s
           AND (valid_to IS NULL OR %(now)s < valid_to)) AS yes
), judged AS (
    SELECT a.*, COALESCE(a.closed_at, a.cleared_at) AS ended_at,
           COALESCE(%(member)s IN (a.acknowledged_by, a.closed_by), false)
           OR EXISTS (SELECT FROM alert_recipients r
                       WHERE r.alert_id = a.id AND r.member_id = %(member)s) AS mine,
           CASE WHEN a.state IN ('open', 'acknowledged')
                THEN NOT EXISTS (SELECT FROM alert_recipients r JOIN members m ON m.id = r.member_id
                                  WHERE r.alert_id = a.id AND m.retired_at IS NULL)
                     AND NOT EXISTS (SELECT FROM members m
                                      WHERE m.id = a.acknowledged_by AND m.retired_at IS NULL)
                ELSE a.acknowledged_by IS NULL
                     AND NOT EXISTS (SELECT FROM alert_recipients r WHERE r.alert_id = a.id)
           END AS unrouted
      FROM alerts a
     WHERE (%(alert)s::bigint IS NULL OR a.id = %(alert)s)
       AND (%(alert)s::bigint IS NOT NULL
            OR a.state IN ('open', 'acknowledged')
            OR a.opened_at > %(opened_after)s
               AND COALESCE(a.closed_at, a.cleared_at) > %(ended_after)s)
), seen AS (
    SELECT j.* FROM judged j, officer
     WHERE j.mine
        OR j.unrouted AND (officer.yes OR EXISTS (
               SELECT FROM answers_for f WHERE f.area_id = j.area_id))
        OR EXISTS (
               SELECT FROM answers_for f
                WHERE f.area_id = j.area_id
                  AND (f.categories IS NULL OR j.category = ANY (f.categories)))
)
SELECT s.id, s.rule_code, s.rule_fingerprint, s.subject_kind, s.category, s.severity, s.title,
       s.advice, s.since, s.fired_at, s.opened_at, s.state, s.silent_since, s.acknowledged_at,
       s.cleared_at,
       s.closed_at, s.ended_at, s.outcome, s.note, s.devices, s.metrics, s.value, s.route_reason,
       s.mine, s.unrouted, household.name AS household, device.name AS device,
       acknowledger.name AS acknowledged_by, closer.name AS closed_by,
       COALESCE(places.path, '[]') AS place,
       COALESCE(told.names, '[]') AS recipients,
       EXISTS (SELECT FROM notifications n
                WHERE n.alert_id = s.id AND n.member_id = %(member)s AND n.channel = 'web'
                  AND n.read_at IS NULL) AS unread
  FROM seen s
  LEFT JOIN households household ON household.id = s.household_id
  LEFT JOIN devices device ON device.id = s.device_id
  LEFT JOIN members acknowledger ON acknowledger.id = s.acknowledged_by
  LEFT JOIN members closer ON closer.id = s.closed_by
  LEFT JOIN LATERAL (
      WITH RECURSIVE up AS (
          SELECT id, parent_id, kind, name, 0 AS height FROM areas WHERE id = s.area_id
           UNION ALL
          SELECT a.id, a.parent_id, a.kind, a.name, up.height + 1
            FROM areas a JOIN up ON a.id = up.parent_id)
      SELECT jsonb_agg(jsonb_build_object('kind', kind, 'name', name) ORDER BY height DESC) AS path
        FROM up) places ON true
  LEFT JOIN LATERAL (
      SELECT jsonb_agg(m.name ORDER BY m.code) AS names
        FROM alert_recipients r JOIN members m ON m.id = r.member_id
       WHERE r.alert_id = s.id) told ON true
 ORDER BY s.ended_at IS NULL DESC, s.mine DESC, s.unrouted DESC, s.state = 'open' DESC,
          array_position(ARRAY['red', 'orange', 'yellow', 'blue'], s.severity),
          COALESCE(s.ended_at, s.opened_at) DESC, s.id DESC
 LIMIT 500
