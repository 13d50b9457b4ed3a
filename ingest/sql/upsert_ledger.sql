-- In order of device, so that two shards never wait for each other crosswise.
INSERT INTO ledger AS l (device_id, received, stored, duplicate, rejected, last_heard)
SELECT device_id, received, stored, duplicate, rejected, last_heard
FROM staged_ledger ORDER BY device_id
ON CONFLICT (device_id) DO UPDATE SET
    received = l.received + excluded.received,
    stored = l.stored + excluded.stored,
    duplicate = l.duplicate + excluded.duplicate,
    rejected = l.rejected + excluded.rejected,
    last_heard = greatest(l.last_heard, excluded.last_heard);
