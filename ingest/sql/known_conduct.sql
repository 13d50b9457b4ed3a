-- What is known of these devices: their newest reading, their interval, and what was noted, if anything.
SELECT of.device_id, devices.interval_us,
       (SELECT max(time) FROM latest_readings l WHERE l.device_id = of.device_id) AS newest,
       c.late, c.last_late, c.contradicting, c.last_contradicting, c.ahead, c.last_ahead,
       c.impossible, c.last_impossible, c.too_many, c.last_too_many,
       c.run_from, c.run_last, c.run_messages, c.run_lowest_us, c.run_highest_us,
       c.spell_from, c.spell_messages, c.spell_lag_us, c.offset_us
FROM unnest(%(devices)s::integer[]) AS of (device_id)
LEFT JOIN devices ON devices.id = of.device_id
LEFT JOIN device_conduct c ON c.device_id = of.device_id
