-- Also the lock by which a shard's effects are written one batch after the other.
INSERT INTO cursors (shard, seq) VALUES (%(shard)s, %(seq)s)
ON CONFLICT (shard) DO UPDATE SET seq = greatest(cursors.seq, excluded.seq)
