-- What follows looks up what a batch is about, by key, in tables of any size. Staged rows have no
-- statistics: the planner would rather read a whole table for each batch, and compile the query first.
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off;
CREATE TEMP TABLE IF NOT EXISTS staged_readings (
    row       integer NOT NULL,
    time      timestamptz NOT NULL,
    device_id integer NOT NULL,
    metric_id smallint NOT NULL,
    value     double precision NOT NULL,
    arrival   timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS staged_events (
    row        integer NOT NULL,
    time       timestamptz NOT NULL,
    device_id  integer NOT NULL,
    metric_id  smallint NOT NULL,
    value      double precision NOT NULL,
    digest     bigint NOT NULL,
    arrival    timestamptz NOT NULL,
    attributes jsonb NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS staged_latest (
    series     integer NOT NULL,
    device_id  integer NOT NULL,
    metric_id  smallint NOT NULL,
    time       timestamptz NOT NULL,
    value      double precision NOT NULL,
    oldest     timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS staged_ledger (
    device_id  integer NOT NULL,
    received   bigint NOT NULL,
    stored     bigint NOT NULL,
    duplicate  bigint NOT NULL,
    rejected   bigint NOT NULL,
    last_heard timestamptz NOT NULL
) ON COMMIT DELETE ROWS;
-- Usually empty already: only a second batch in one transaction finds rows here.
DELETE FROM staged_readings;
DELETE FROM staged_events;
DELETE FROM staged_latest;
DELETE FROM staged_ledger;
