SELECT shard, started_at, reported_at, connected, received, stored, duplicate, rejected, in_flight,
       waiting
FROM collectors ORDER BY shard
