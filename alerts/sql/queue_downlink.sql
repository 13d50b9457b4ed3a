WITH line AS (
    INSERT INTO alert_events (alert_id, at, kind, reason, detail)
    VALUES (%(alert_id)s, %(now)s, %(kind)s, %(told)s,
            jsonb_build_object('device', %(device_id)s::integer))
    RETURNING id
)
INSERT INTO downlinks (event_id, alert_id, device_id, told, at, next_attempt_at)
SELECT line.id, %(alert_id)s, %(device_id)s, %(told)s, %(at)s, %(now)s FROM line
