SELECT
    date_bin($__interval_ms * interval '1 ms', committed_at, '2000-01-01T00:00Z') AS time,
    sum(readings + events) * 60000.0 / $__interval_ms AS per_minute
FROM dashboard.batches
WHERE $__timeFilter(committed_at)
GROUP BY 1
ORDER BY 1
