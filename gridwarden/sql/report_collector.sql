INSERT INTO collectors (shard, started_at, reported_at, connected, received, stored, duplicate,
                        rejected, in_flight, waiting)
VALUES (%(shard)s, %(started_at)s, %(reported_at)s, %(connected)s, %(received)s, %(stored)s,
        %(duplicate)s, %(rejected)s, %(in_flight)s, %(waiting)s)
ON CONFLICT (shard) DO UPDATE SET
    started_at = excluded.started_at, reported_at = excluded.reported_at,
    connected = excluded.connected, received = excluded.received, stored = excluded.stored,
    duplicate = excluded.duplicate, rejected = excluded.rejected,
    in_flight = excluded.in_flight, waiting = excluded.waiting
