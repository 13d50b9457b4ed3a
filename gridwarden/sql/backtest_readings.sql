COPY (
    SELECT time, arrival, device_id, metric_id, value, 0::bigint FROM readings
    WHERE time >= %(start)s AND time < %(end)s AND arrival >= %(first)s AND arrival < %(last)s
    UNION ALL
    SELECT time, arrival, device_id, metric_id, value, digest FROM events
    WHERE time >= %(start)s AND time < %(end)s AND arrival >= %(first)s AND arrival < %(last)s
) TO STDOUT (FORMAT binary)
