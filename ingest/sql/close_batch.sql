WITH moved AS (
    UPDATE shards SET last_seq = %(seq)s WHERE shard = %(shard)s
)
INSERT INTO batches (seq, shard, prev_seq, committed_at, heard_until,
                     messages, stored, duplicate, rejected, readings, events)
VALUES (%(seq)s, %(shard)s, %(prev_seq)s, %(now)s, %(heard_until)s,
        %(messages)s, %(stored)s, %(duplicate)s, %(rejected)s, %(readings)s, %(events)s);
