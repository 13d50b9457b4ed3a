SELECT
    date_bin($__interval_ms * interval '1 ms', committed_at, '2000-01-01T00:00Z') AS time,
    extract(epoch FROM max(committed_at - heard_until) FILTER (WHERE heard_until > 'epoch'))
        ::double precision AS heard,
    extract(epoch FROM max(now() - committed_at) FILTER (WHERE NOT judged))::double precision
        AS judged
FROM dashboard.batches
WHERE $__timeFilter(committed_at)
GROUP BY 1
ORDER BY 1
