-- All that the shard has is judged.
INSERT INTO cursors (shard, seq) SELECT shard, last_seq FROM shards WHERE shard = %(shard)s
ON CONFLICT (shard) DO UPDATE SET seq = excluded.seq
