SELECT seq, prev_seq, heard_until, messages, stored, duplicate, rejected
FROM batches WHERE shard = %(shard)s AND seq > %(after)s ORDER BY seq LIMIT %(limit)s;
