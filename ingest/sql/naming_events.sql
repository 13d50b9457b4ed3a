SELECT device_id, metric_id, time, digest, attributes::text FROM events
WHERE seq BETWEEN %(first)s AND %(last)s AND seq = ANY(%(seqs)s)
    AND attributes ?| %(naming)s::text[]
