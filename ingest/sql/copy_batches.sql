COPY (
    SELECT seq, time, arrival, device_id, metric_id, value, 0::bigint FROM readings
    WHERE seq BETWEEN %(first)s AND %(last)s AND seq = ANY(%(seqs)s)
    UNION ALL
    SELECT seq, time, arrival, device_id, metric_id, value, digest FROM events
    WHERE seq BETWEEN %(first)s AND %(last)s AND seq = ANY(%(seqs)s)
    ORDER BY 1, 3, 2, 4, 5
) TO STDOUT (FORMAT binary)
