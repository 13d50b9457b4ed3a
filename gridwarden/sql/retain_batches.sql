-- A piece of the settled batches from before an instant, except each shard's last, which says how far was
-- heard. What they counted is kept.
WITH gone AS (
    DELETE FROM batches WHERE seq IN (
        SELECT b.seq FROM batches b
        WHERE b.committed_at < %(before)s
          AND NOT EXISTS (SELECT FROM unsettled_batches u WHERE u.seq = b.seq)
          AND NOT EXISTS (SELECT FROM shards s WHERE s.last_seq = b.seq)
        ORDER BY b.committed_at
        LIMIT %(limit)s
    )
    RETURNING *
), counted AS (
    INSERT INTO dropped_batches AS d
    SELECT shard, sum(messages), sum(stored), sum(duplicate), sum(rejected), sum(readings),
           sum(events)
    FROM gone GROUP BY shard
    ON CONFLICT (shard) DO UPDATE SET
        messages = d.messages + excluded.messages,
        stored = d.stored + excluded.stored,
        duplicate = d.duplicate + excluded.duplicate,
        rejected = d.rejected + excluded.rejected,
        readings = d.readings + excluded.readings,
        events = d.events + excluded.events
)
SELECT count(*) FROM gone
