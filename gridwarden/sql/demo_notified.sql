SELECT channel, count(*) AS n FROM notifications WHERE state = 'delivered'
GROUP BY channel ORDER BY channel
