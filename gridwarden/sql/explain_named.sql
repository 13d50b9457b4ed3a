-- Of these devices' events those that name a credential or a plate.
SELECT device_id, metric_id, time, digest, attributes::text FROM events
WHERE device_id = ANY(%(devices)s) AND time >= %(start)s AND arrival <= %(end)s
    AND attributes ?| %(naming)s::text[]
