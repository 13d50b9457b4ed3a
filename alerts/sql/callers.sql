-- The devices in service that caused these alerts, of those about a metric that may be a call.
SELECT a.id AS alert_id, d.id AS device_id, d.metrics AS reports, a.metrics AS about,
       (SELECT e.reason FROM alert_events e
        WHERE e.alert_id = a.id AND e.kind = 'opened' ORDER BY e.id LIMIT 1) AS cause,
       (SELECT max(l.at) FROM downlinks l
        WHERE l.alert_id = a.id AND l.device_id = d.id) AS last_at
FROM alerts a JOIN devices d ON d.id = ANY(a.devices)
WHERE a.id = ANY(%(alerts)s) AND a.metrics && %(calls)s::smallint[] AND d.retired_at IS NULL
ORDER BY a.id, d.id
