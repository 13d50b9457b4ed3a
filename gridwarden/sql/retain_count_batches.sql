SELECT count(*) FROM batches b
WHERE b.committed_at < %(before)s
  AND NOT EXISTS (SELECT FROM unsettled_batches u WHERE u.seq = b.seq)
  AND NOT EXISTS (SELECT FROM shards s WHERE s.last_seq = b.seq)
