-- What came of an attempt. One that another process already settled stays as it is.
UPDATE notifications
SET state = %(state)s, attempts = attempts + 1, delivered_at = %(delivered_at)s,
    next_attempt_at = coalesce(%(next_attempt_at)s, next_attempt_at)
WHERE id = %(id)s AND state = 'queued'
