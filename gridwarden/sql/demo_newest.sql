SELECT alerts.id, alerts.severity, alerts.state, alerts.fired_at,
       alerts.title ->> %(language)s AS title,
       concat_ws(' · ', areas.name ->> %(language)s, households.name ->> %(language)s,
                 NULLIF(devices.name ->> %(language)s,
                        COALESCE(households.name, areas.name) ->> %(language)s)) AS place,
       COALESCE((SELECT string_agg(members.name ->> %(language)s, ', ' ORDER BY members.id)
                 FROM alert_recipients JOIN members ON members.id = alert_recipients.member_id
                 WHERE alert_recipients.alert_id = alerts.id), '') AS who
FROM alerts
JOIN areas ON areas.id = alerts.area_id
LEFT JOIN households ON households.id = alerts.household_id
LEFT JOIN devices ON devices.id = alerts.device_id
ORDER BY alerts.id DESC LIMIT %(n)s
