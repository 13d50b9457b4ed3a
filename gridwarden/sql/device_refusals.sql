-- Why messages of a device are still refused, wholly or in part; no payloads and no details: they may
-- hold values.
SELECT reason, count(*) AS messages, max(arrival) AS last
FROM rejected_messages
WHERE device_id = %(device)s AND retried_at IS NULL
GROUP BY reason
ORDER BY last DESC
