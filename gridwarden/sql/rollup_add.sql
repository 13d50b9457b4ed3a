-- Adds buckets of 5 minutes to those that hold them. In order of the key: two writers never wait for
-- each other crosswise.
INSERT INTO {rollup} AS kept
    (bucket, device_id, metric_id, count, min, max, sum, first, last, first_time, last_time)
SELECT
    {bucket} AS coarse, device_id, metric_id,
    sum(count)::bigint, min(min), max(max), sum(sum),
    (array_agg(first ORDER BY first_time))[1], (array_agg(last ORDER BY last_time DESC))[1],
    min(first_time), max(last_time)
FROM {source}
WHERE bucket >= %(begin)s::timestamptz
GROUP BY coarse, device_id, metric_id
ORDER BY device_id, metric_id, coarse
ON CONFLICT (device_id, metric_id, bucket) DO UPDATE SET
    count = kept.count + excluded.count,
    min = least(kept.min, excluded.min),
    max = greatest(kept.max, excluded.max),
    sum = kept.sum + excluded.sum,
    first = CASE WHEN excluded.first_time < kept.first_time
                 THEN excluded.first ELSE kept.first END,
    last = CASE WHEN excluded.last_time > kept.last_time THEN excluded.last ELSE kept.last END,
    first_time = least(kept.first_time, excluded.first_time),
    last_time = greatest(kept.last_time, excluded.last_time)
