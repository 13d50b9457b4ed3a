SELECT count(*) FROM batches WHERE shard = %(shard)s AND seq > %(judged)s
