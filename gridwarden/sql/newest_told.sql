SELECT coalesce((SELECT max(id) FROM notification_attempts), 0),
       coalesce((SELECT max(id) FROM downlink_attempts), 0)
