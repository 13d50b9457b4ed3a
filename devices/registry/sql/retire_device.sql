WITH gone AS (
    UPDATE devices
    SET retired_at = %(now)s
    FROM areas
    WHERE areas.id = devices.community_id AND areas.code || '/' || devices.code = ANY(%(codes)s)
    RETURNING devices.id
), unaddressed AS (
    UPDATE device_addresses
    SET valid_to = greatest(%(now)s, valid_from)
    FROM gone
    WHERE device_id = gone.id AND valid_to IS NULL
)
UPDATE placements
SET valid_to = greatest(%(now)s, valid_from)
FROM gone
WHERE device_id = gone.id AND valid_to IS NULL
