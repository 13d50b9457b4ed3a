-- What is noted of a device, as a whole.
INSERT INTO device_conduct (
    device_id, late, last_late, contradicting, last_contradicting, ahead, last_ahead, impossible,
    last_impossible, too_many, last_too_many, run_from, run_last, run_messages, run_lowest_us,
    run_highest_us, spell_from, spell_messages, spell_lag_us, offset_us
) VALUES (
    %(device_id)s, %(late)s, %(last_late)s, %(contradicting)s, %(last_contradicting)s, %(ahead)s,
    %(last_ahead)s, %(impossible)s, %(last_impossible)s, %(too_many)s, %(last_too_many)s,
    %(run_from)s, %(run_last)s, %(run_messages)s, %(run_lowest_us)s, %(run_highest_us)s,
    %(spell_from)s, %(spell_messages)s, %(spell_lag_us)s, %(offset_us)s
)
ON CONFLICT (device_id) DO UPDATE SET
    late = excluded.late, last_late = excluded.last_late, contradicting = excluded.contradicting,
    last_contradicting = excluded.last_contradicting, ahead = excluded.ahead,
    last_ahead = excluded.last_ahead, impossible = excluded.impossible,
    last_impossible = excluded.last_impossible, too_many = excluded.too_many,
    last_too_many = excluded.last_too_many, run_from = excluded.run_from,
    run_last = excluded.run_last, run_messages = excluded.run_messages,
    run_lowest_us = excluded.run_lowest_us, run_highest_us = excluded.run_highest_us,
    spell_from = excluded.spell_from, spell_messages = excluded.spell_messages,
    spell_lag_us = excluded.spell_lag_us, offset_us = excluded.offset_us
