-- Batches that were committed after each shard had come as far as noted.
SELECT b.seq
FROM batches b
LEFT JOIN unnest(%(shards)s::integer[], %(seqs)s::bigint[]) AS noted (shard, seq) USING (shard)
WHERE b.seq > coalesce(noted.seq, 0)
ORDER BY b.seq
