-- A row that is never given up: its batch is not settled, or it is what the page of an alert that still
-- needs a person may show (alerts.web.evidence.window: at most 14 days before it began and after it
-- fired).
EXISTS (SELECT FROM unsettled_batches u WHERE u.seq = r.seq)
OR EXISTS (
    SELECT FROM alerts a
    WHERE a.state IN ('open', 'acknowledged')
      AND r.device_id = ANY(a.devices) AND r.metric_id = ANY(a.metrics)
      AND r.time BETWEEN a.since - interval '14 days' AND a.fired_at + interval '14 days'
)
