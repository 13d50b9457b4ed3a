-- What waits to be told, by channel, with the oldest; 'device': answers to devices that called.
SELECT channel, count(*), min(created_at) FROM notifications WHERE state = 'queued' GROUP BY channel
UNION ALL
SELECT 'device', count(*), min(at) FROM downlinks WHERE state = 'queued'
ORDER BY 1
