SELECT heard_until FROM batches b JOIN shards s ON s.last_seq = b.seq WHERE s.shard = %(shard)s;
