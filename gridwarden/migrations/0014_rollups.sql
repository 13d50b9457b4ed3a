-- Readings summed up by device, metric and bucket of 5 minutes, an hour (both from UTC on), a local day
-- of the site. bucket: its begin. The mean is sum / count. `first` and `last` are the values of the
-- earliest and the latest reading, at first_time and last_time. Kept by `gridwarden.rollup`: each
-- committed reading is added once, in the transaction of the cursor below.
CREATE TABLE readings_5m (
    bucket      timestamptz NOT NULL,
    device_id   integer NOT NULL,
    metric_id   smallint NOT NULL,
    count       bigint NOT NULL,
    min         double precision NOT NULL,
    max         double precision NOT NULL,
    sum         double precision NOT NULL,
    first       double precision NOT NULL,
    last        double precision NOT NULL,
    first_time  timestamptz NOT NULL,
    last_time   timestamptz NOT NULL
);
CREATE TABLE readings_1h (LIKE readings_5m INCLUDING ALL);
CREATE TABLE readings_1d (LIKE readings_5m INCLUDING ALL);
CREATE UNIQUE INDEX readings_5m_key ON readings_5m (device_id, metric_id, bucket);
CREATE UNIQUE INDEX readings_1h_key ON readings_1h (device_id, metric_id, bucket);
CREATE UNIQUE INDEX readings_1d_key ON readings_1d (device_id, metric_id, bucket);

-- Up to which batch each shard's readings are in the roll-ups.
CREATE TABLE rollup_cursors (
    shard  integer PRIMARY KEY,
    seq    bigint NOT NULL
);

-- The time zone whose days readings_1d has; no row: nothing was summed up yet.
CREATE TABLE rollup_zone (
    id         integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    time_zone  text NOT NULL
);

-- Batches whose rows are still needed: not judged yet, judged after the saved state of the rules that
-- a restart begins with, or not summed up.
CREATE VIEW unsettled_batches AS
SELECT b.seq
FROM shards s
LEFT JOIN cursors judged USING (shard)
LEFT JOIN rule_snapshots saved USING (shard)
LEFT JOIN rollup_cursors summed USING (shard)
JOIN batches b ON b.shard = s.shard
    AND b.seq > least(coalesce(judged.seq, 0), coalesce(saved.seq, 0), coalesce(summed.seq, 0));

-- What batches that are no longer kept had counted.
CREATE TABLE dropped_batches (
    shard      integer PRIMARY KEY,
    messages   bigint NOT NULL,
    stored     bigint NOT NULL,
    duplicate  bigint NOT NULL,
    rejected   bigint NOT NULL,
    readings   bigint NOT NULL,
    events     bigint NOT NULL,
    CHECK (messages = stored + duplicate + rejected)
);

-- Two independent counts of every message: by device, and by batch, batches no longer kept included.
CREATE OR REPLACE VIEW dashboard.ledger AS
SELECT by_device.*, by_batch.*
FROM (
    SELECT
        coalesce(sum(received), 0) AS received, coalesce(sum(stored), 0) AS stored,
        coalesce(sum(duplicate), 0) AS duplicate, coalesce(sum(rejected), 0) AS rejected
    FROM ledger
) by_device
CROSS JOIN (
    SELECT coalesce(sum(messages), 0)::bigint AS in_batches
    FROM (
        SELECT sum(messages)::bigint AS messages FROM batches
        UNION ALL
        SELECT sum(messages)::bigint FROM dropped_batches
    ) kept_and_dropped
) by_batch;

-- Whole chunks can be dropped where there is TimescaleDB; else old rows are found by these indexes.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        PERFORM create_hypertable('readings_5m', by_range('bucket', INTERVAL '7 days'),
                                  create_default_indexes => false);
        PERFORM create_hypertable('readings_1h', by_range('bucket', INTERVAL '30 days'),
                                  create_default_indexes => false);
        PERFORM create_hypertable('readings_1d', by_range('bucket', INTERVAL '360 days'),
                                  create_default_indexes => false);
    ELSE
        CREATE INDEX readings_by_time ON readings USING brin (time) WITH (autosummarize = on);
        CREATE INDEX events_by_time ON events USING brin (time) WITH (autosummarize = on);
        CREATE INDEX readings_5m_by_time ON readings_5m USING brin (bucket)
            WITH (autosummarize = on);
        CREATE INDEX readings_1h_by_time ON readings_1h USING brin (bucket)
            WITH (autosummarize = on);
        CREATE INDEX readings_1d_by_time ON readings_1d USING brin (bucket)
            WITH (autosummarize = on);
    END IF;
END $$;
