-- The shard's row is its writers' lock: the second one waits here.
INSERT INTO shards AS s (shard) VALUES (%(shard)s)
ON CONFLICT (shard) DO UPDATE SET last_seq = s.last_seq
RETURNING last_seq;
