INSERT INTO notifications (message_id, alert_id, member_id, channel, occasion, body,
                           created_at, next_attempt_at)
VALUES (%(message_id)s, %(alert_id)s, %(member_id)s, %(channel)s, %(occasion)s, %(body)s,
        %(now)s, %(now)s)
