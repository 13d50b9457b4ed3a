SELECT (SELECT COALESCE(sum(readings), 0)::bigint FROM batches) AS readings,
       (SELECT COALESCE(sum(events), 0)::bigint FROM batches) AS events,
       (SELECT count(*) FROM alerts) AS alert_count,
       (SELECT count(*) FROM alerts WHERE state IN ('open', 'acknowledged')) AS standing
