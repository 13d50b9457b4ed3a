COPY (
    SELECT time, arrival, device_id, metric_id, value, 0::bigint FROM readings
    WHERE device_id = ANY(%(devices)s) AND time >= %(start)s AND arrival <= %(end)s
    UNION ALL
    SELECT time, arrival, device_id, metric_id, value, digest FROM events
    WHERE device_id = ANY(%(devices)s) AND time >= %(start)s AND arrival <= %(end)s
    ORDER BY 2, 1, 3, 4, 5
) TO STDOUT (FORMAT binary)
