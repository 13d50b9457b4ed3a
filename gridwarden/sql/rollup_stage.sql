-- What these batches add to the buckets of 5 minutes.
INSERT INTO rollup_added
SELECT
    date_bin('5 minutes', time, '2000-01-01T00:00Z'), device_id, metric_id,
    count(*), min(value), max(value), sum(value),
    (array_agg(value ORDER BY time))[1], (array_agg(value ORDER BY time DESC))[1],
    min(time), max(time)
FROM readings
WHERE seq BETWEEN %(first)s AND %(last)s AND seq = ANY(%(seqs)s)
GROUP BY 1, 2, 3
