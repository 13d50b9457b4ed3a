-- Why messages of a device were refused, wholly or in part; no payloads and no details: they may
-- hold values.
SELECT reason, count(*) AS messages, max(arrival) AS last
FROM rejected_messages
WHERE device_id = %(device)s
GROUP BY reason
ORDER BY last DESC
