SELECT device_id, metric_id, time, digest, attributes::text FROM events
WHERE time >= %(start)s AND time < %(end)s AND arrival >= %(first)s AND arrival < %(last)s
    AND attributes ?| %(naming)s::text[]
