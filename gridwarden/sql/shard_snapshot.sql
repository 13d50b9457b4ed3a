-- The rules' state of the shard as after its last batch.
INSERT INTO rule_snapshots (shard, seq, taken_at, state)
SELECT shard, last_seq, %(now)s, %(state)s FROM shards WHERE shard = %(shard)s
ON CONFLICT (shard) DO UPDATE
SET seq = excluded.seq, taken_at = excluded.taken_at, state = excluded.state
