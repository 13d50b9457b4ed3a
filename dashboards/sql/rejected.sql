SELECT
    date_bin($__interval_ms * interval '1 ms', arrival, '2000-01-01T00:00Z') AS time,
    count(*) FILTER (WHERE reason = 'bad_topic') AS bad_topic,
    count(*) FILTER (WHERE reason = 'unknown_format') AS unknown_format,
    count(*) FILTER (WHERE reason = 'bad_payload') AS bad_payload,
    count(*) FILTER (WHERE reason = 'no_reading') AS no_reading,
    count(*) FILTER (WHERE reason = 'unknown_device') AS unknown_device,
    count(*) FILTER (WHERE reason = 'topic_mismatch') AS topic_mismatch,
    count(*) FILTER (WHERE reason = 'unknown_metric') AS unknown_metric,
    count(*) FILTER (WHERE reason = 'out_of_range') AS out_of_range,
    count(*) FILTER (WHERE reason = 'impossible_time') AS impossible_time,
    count(*) FILTER (WHERE reason = 'too_many') AS too_many,
    count(*) FILTER (WHERE reason = 'unstorable') AS unstorable
FROM dashboard.rejected
WHERE $__timeFilter(arrival)
GROUP BY 1
ORDER BY 1
