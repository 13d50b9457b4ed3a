INSERT INTO undated_messages (shard, packet_id, digest, arrival, seq)
SELECT %(shard)s, packet_id, digest, arrival, %(seq)s
FROM unnest(%(packet_ids)s::integer[], %(digests)s::bytea[], %(arrivals)s::timestamptz[])
    AS message (packet_id, digest, arrival)
ON CONFLICT (shard, packet_id) DO UPDATE
SET digest = excluded.digest, arrival = excluded.arrival, seq = excluded.seq
