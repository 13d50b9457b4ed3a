-- private: not only of devices that nobody registered; those belong to nobody's home.
SELECT m.id, m.arrival, split_part(m.topic, '/', 3) AS community, d.code AS device, m.topic,
       m.reason, m.partial, octet_length(m.payload) AS bytes, m.retried_at, m.retried_by,
       m.payload, m.detail,
       m.device_id IS NOT NULL OR m.partial OR m.unknown IS NULL AS private
FROM rejected_messages m
LEFT JOIN devices d ON d.id = m.device_id
WHERE m.id = %(id)s
