-- Nearly all devices have a row already, and UPDATE is the quicker way to it. Two shards share no
-- more than the row of device 0, so they never wait for each other crosswise.
WITH counted AS (
    UPDATE ledger l SET
        received = l.received + s.received,
        stored = l.stored + s.stored,
        duplicate = l.duplicate + s.duplicate,
        rejected = l.rejected + s.rejected,
        last_heard = greatest(l.last_heard, s.last_heard)
    FROM staged_ledger s
    WHERE l.device_id = s.device_id
    RETURNING l.device_id
)
INSERT INTO ledger AS l (device_id, received, stored, duplicate, rejected, last_heard)
SELECT device_id, received, stored, duplicate, rejected, last_heard
FROM staged_ledger s
WHERE s.device_id NOT IN (SELECT device_id FROM counted)
ORDER BY device_id
ON CONFLICT (device_id) DO UPDATE SET
    received = l.received + excluded.received,
    stored = l.stored + excluded.stored,
    duplicate = l.duplicate + excluded.duplicate,
    rejected = l.rejected + excluded.rejected,
    last_heard = greatest(l.last_heard, excluded.last_heard);
