-- For the Community edition, by hand (docs/retention.md): continuous aggregates in place of the tables
-- that our own job keeps. The same names and columns; in real time, since what is not materialised yet is
-- summed up when it is asked for. Their policies reach back 390 days, less than raw readings are kept:
-- else a refresh would sum up what is left of a bucket.
-- psql -v zone=Asia/Shanghai …: the site's time zone, which the days then keep.
DROP TABLE readings_1d;
DROP TABLE readings_1h;
DROP TABLE readings_5m;

CREATE MATERIALIZED VIEW readings_5m
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket(INTERVAL '5 minutes', time) AS bucket, device_id, metric_id,
    count(*) AS count, min(value) AS min, max(value) AS max, sum(value) AS sum,
    first(value, time) AS first, last(value, time) AS last,
    min(time) AS first_time, max(time) AS last_time
FROM readings
GROUP BY 1, 2, 3
WITH NO DATA;

CREATE MATERIALIZED VIEW readings_1h
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket(INTERVAL '1 hour', bucket) AS bucket, device_id, metric_id,
    sum(count)::bigint AS count, min(min) AS min, max(max) AS max, sum(sum) AS sum,
    first(first, first_time) AS first, last(last, last_time) AS last,
    min(first_time) AS first_time, max(last_time) AS last_time
FROM readings_5m
GROUP BY 1, 2, 3
WITH NO DATA;

-- Not from the hours: a zone's midnight need not be at a full hour of UTC.
CREATE MATERIALIZED VIEW readings_1d
WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
SELECT
    time_bucket(INTERVAL '1 day', bucket, :'zone') AS bucket, device_id, metric_id,
    sum(count)::bigint AS count, min(min) AS min, max(max) AS max, sum(sum) AS sum,
    first(first, first_time) AS first, last(last, last_time) AS last,
    min(first_time) AS first_time, max(last_time) AS last_time
FROM readings_5m
GROUP BY 1, 2, 3
WITH NO DATA;

SELECT add_continuous_aggregate_policy('readings_5m', start_offset => INTERVAL '390 days',
    end_offset => INTERVAL '10 minutes', schedule_interval => INTERVAL '1 minute');
SELECT add_continuous_aggregate_policy('readings_1h', start_offset => INTERVAL '390 days',
    end_offset => INTERVAL '2 hours', schedule_interval => INTERVAL '10 minutes');
SELECT add_continuous_aggregate_policy('readings_1d', start_offset => INTERVAL '390 days',
    end_offset => INTERVAL '2 days', schedule_interval => INTERVAL '1 hour');
SELECT add_retention_policy('readings_5m', drop_after => INTERVAL '400 days');
SELECT add_retention_policy('readings_1h', drop_after => INTERVAL '1100 days');
SELECT add_retention_policy('readings_1d', drop_after => INTERVAL '3660 days');
