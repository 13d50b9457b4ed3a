SELECT alerts.rule_code, coalesce(alerts.plain_title, alerts.title) ->> %(language)s AS title,
       COALESCE(members.name ->> %(language)s, '') AS member, count(*) AS n
FROM alerts
LEFT JOIN alert_recipients ON alert_recipients.alert_id = alerts.id
LEFT JOIN members ON members.id = alert_recipients.member_id
WHERE alerts.id > %(alert)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
