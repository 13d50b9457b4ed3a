INSERT INTO rollup_cursors (shard, seq) VALUES (%(shard)s, %(seq)s)
ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq
