-- What decides who may see an alert: its category, its areas from the place up, who in service was
-- told to act or acted, and whether it is nobody's. told: whose pages show it.
WITH RECURSIVE above AS (
    SELECT r.id, r.parent_id, 0 AS level
    FROM alerts a JOIN areas r ON r.id = a.area_id WHERE a.id = %(alert)s
    UNION ALL
    SELECT r.id, r.parent_id, above.level + 1 FROM areas r JOIN above ON r.id = above.parent_id
), recipients AS (
    SELECT r.member_id, m.retired_at IS NULL AS in_service
    FROM alert_recipients r JOIN members m ON m.id = r.member_id
    WHERE r.alert_id = %(alert)s
), actors AS (
    SELECT m.id AS member_id, m.id = a.acknowledged_by AS holds
    FROM alerts a JOIN members m ON m.id IN (a.acknowledged_by, a.closed_by)
    WHERE a.id = %(alert)s AND m.retired_at IS NULL
)
SELECT a.category,
       (SELECT array_agg(id ORDER BY level) FROM above) AS path,
       array(SELECT member_id FROM recipients WHERE in_service
             UNION SELECT member_id FROM actors ORDER BY member_id) AS involved,
       CASE WHEN a.state IN ('open', 'acknowledged')
            THEN NOT EXISTS (SELECT FROM recipients WHERE in_service)
                 AND NOT EXISTS (SELECT FROM actors WHERE holds)
            ELSE a.acknowledged_by IS NULL AND NOT EXISTS (SELECT FROM recipients)
       END AS nobodys,
       array(SELECT member_id FROM recipients
             UNION SELECT member_id FROM notifications WHERE alert_id = a.id
             ORDER BY member_id) AS told
FROM alerts a WHERE a.id = %(alert)s
