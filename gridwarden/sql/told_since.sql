-- Attempts to tell since these, by channel and outcome, and the newest of each table.
SELECT n.channel, a.outcome, count(*), max(a.id), 0::bigint
FROM notification_attempts a JOIN notifications n ON n.id = a.notification_id
WHERE a.id > %(notification)s
GROUP BY n.channel, a.outcome
UNION ALL
SELECT 'device', outcome, count(*), 0::bigint, max(id)
FROM downlink_attempts WHERE id > %(downlink)s
GROUP BY outcome
