SELECT alerts.id,
       ARRAY(SELECT code FROM devices
             WHERE devices.id = ANY (alerts.devices) OR devices.id = alerts.device_id),
       alerts.fired_at
FROM alerts
WHERE alerts.id > %s AND EXISTS (SELECT FROM alert_recipients WHERE alert_id = alerts.id)
ORDER BY alerts.id
