-- The next batches of a shard that are not summed up: at least one, and so many that the batches
-- before the last have fewer than %(readings)s readings.
WITH due AS (
    SELECT b.seq, sum(b.readings) OVER (ORDER BY b.seq) - b.readings AS before
    FROM batches b
    WHERE b.shard = %(shard)s
      AND b.seq > coalesce((SELECT seq FROM rollup_cursors WHERE shard = %(shard)s), 0)
    ORDER BY b.seq
    LIMIT 10000
)
SELECT seq FROM due WHERE before < %(readings)s ORDER BY seq
