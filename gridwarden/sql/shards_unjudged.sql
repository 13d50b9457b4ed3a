-- Shards of which the rules have not judged all.
SELECT count(*) FROM shards s LEFT JOIN cursors c USING (shard)
WHERE s.shard < %s AND s.last_seq > coalesce(c.seq, 0)
