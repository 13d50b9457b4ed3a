-- Places, people, devices, rules; readings and events; alerts, outbox, ledger, cursor.
-- Runs on TimescaleDB (either edition) and on plain PostgreSQL; 0002 makes the hypertables.

-- Places -------------------------------------------------------------------------------------

CREATE TABLE areas (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL UNIQUE,
    kind        text NOT NULL,
    parent_id   integer REFERENCES areas,
    name        jsonb NOT NULL,
    retired_at  timestamptz
);

CREATE TABLE households (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL UNIQUE,
    area_id     integer NOT NULL REFERENCES areas,
    name        jsonb NOT NULL,
    care        boolean NOT NULL DEFAULT false,
    away        boolean NOT NULL DEFAULT false,
    retired_at  timestamptz
);

CREATE TABLE metrics (
    id    smallint PRIMARY KEY,
    name  text NOT NULL UNIQUE,
    unit  text NOT NULL,
    kind  text NOT NULL,
    label jsonb NOT NULL
);

CREATE TABLE devices (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    community_id  integer NOT NULL REFERENCES areas,
    code          text NOT NULL,
    kind          text NOT NULL,
    name          jsonb NOT NULL,
    interval_us   bigint NOT NULL CHECK (interval_us > 0),
    metrics       text[] NOT NULL,
    attributes    jsonb NOT NULL DEFAULT '{}',
    retired_at    timestamptz,
    UNIQUE (community_id, code)
);

-- Where a device was, from when to when; the open row is where it is.
CREATE TABLE placements (
    device_id     integer NOT NULL REFERENCES devices,
    area_id       integer NOT NULL REFERENCES areas,
    household_id  integer REFERENCES households,
    valid_from    timestamptz NOT NULL,
    valid_to      timestamptz CHECK (valid_to >= valid_from),
    PRIMARY KEY (device_id, valid_from)
);
CREATE UNIQUE INDEX placements_open ON placements (device_id) WHERE valid_to IS NULL;

-- People -------------------------------------------------------------------------------------

CREATE TABLE members (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code           text NOT NULL UNIQUE,
    name           jsonb NOT NULL,
    phone          text,
    language       text NOT NULL DEFAULT 'zh' CHECK (language IN ('zh', 'en')),
    password_hash  text,
    retired_at     timestamptz
);

-- Who answers for an area, in which role, for which categories (NULL: all), from when to when.
CREATE TABLE duties (
    id          integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    member_id   integer NOT NULL REFERENCES members,
    area_id     integer NOT NULL REFERENCES areas,
    role        text NOT NULL,
    categories  text[],
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz CHECK (valid_to >= valid_from)
);
CREATE INDEX duties_by_area ON duties (area_id);

-- The site as applied ------------------------------------------------------------------------

CREATE TABLE site_versions (
    version     integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    applied_at  timestamptz NOT NULL,
    name        jsonb NOT NULL,
    time_zone   text NOT NULL,
    changes     jsonb NOT NULL
);

-- Rules in force and every earlier text of them.
CREATE TABLE rules (
    id           integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code         text NOT NULL,
    fingerprint  text NOT NULL,
    source       text NOT NULL,
    line         integer NOT NULL,
    text         text NOT NULL,
    valid_from   timestamptz NOT NULL,
    valid_to     timestamptz CHECK (valid_to >= valid_from)
);
CREATE UNIQUE INDEX rules_open ON rules (code) WHERE valid_to IS NULL;

-- Readings -----------------------------------------------------------------------------------

CREATE SEQUENCE batch_seq AS bigint;

-- The last batch each shard committed; its row is the writer's lock.
CREATE TABLE shards (
    shard     integer PRIMARY KEY,
    last_seq  bigint NOT NULL DEFAULT 0
);

-- One committed batch. heard_until: up to then the service had heard all that the broker accepted.
CREATE TABLE batches (
    seq           bigint PRIMARY KEY,
    shard         integer NOT NULL,
    prev_seq      bigint NOT NULL,
    committed_at  timestamptz NOT NULL,
    heard_until   timestamptz NOT NULL,
    messages      integer NOT NULL,
    stored        integer NOT NULL,
    duplicate     integer NOT NULL,
    rejected      integer NOT NULL,
    readings      integer NOT NULL,
    events        integer NOT NULL,
    CHECK (messages = stored + duplicate + rejected)
);
CREATE INDEX batches_by_shard ON batches (shard, seq);

CREATE TABLE readings (
    time       timestamptz NOT NULL,
    device_id  integer NOT NULL,
    metric_id  smallint NOT NULL,
    value      double precision NOT NULL,
    arrival    timestamptz NOT NULL,
    seq        bigint NOT NULL
);
CREATE UNIQUE INDEX readings_key ON readings (device_id, metric_id, time);
CREATE INDEX readings_seq ON readings USING brin (seq) WITH (autosummarize = on);

-- Readings of momentary metrics, with the facts that are not numbers. Two occurrences may share
-- device, metric and time: `digest` (64 bits over value and attributes) tells them apart.
CREATE TABLE events (
    time        timestamptz NOT NULL,
    device_id   integer NOT NULL,
    metric_id   smallint NOT NULL,
    value       double precision NOT NULL,
    attributes  jsonb NOT NULL,
    digest      bigint NOT NULL,
    arrival     timestamptz NOT NULL,
    seq         bigint NOT NULL
);
CREATE UNIQUE INDEX events_key ON events (device_id, metric_id, time, digest);
CREATE INDEX events_seq ON events USING brin (seq) WITH (autosummarize = on);

-- The newest reading of each device and metric.
CREATE TABLE latest_readings (
    device_id  integer NOT NULL,
    metric_id  smallint NOT NULL,
    time       timestamptz NOT NULL,
    value      double precision NOT NULL,
    PRIMARY KEY (device_id, metric_id)
) WITH (fillfactor = 70);

-- Every message, or part of one, that could not be stored, as it came.
CREATE TABLE rejected_messages (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seq        bigint NOT NULL,
    arrival    timestamptz NOT NULL,
    topic      text NOT NULL,
    payload    bytea NOT NULL,
    reason     text NOT NULL,
    detail     text NOT NULL,
    device_id  integer,
    partial    boolean NOT NULL
);
CREATE INDEX rejected_by_arrival ON rejected_messages (arrival);

-- Messages per device (0: none could be told) by their fate.
CREATE TABLE ledger (
    device_id  integer PRIMARY KEY,
    received   bigint NOT NULL,
    stored     bigint NOT NULL,
    duplicate  bigint NOT NULL,
    rejected   bigint NOT NULL,
    last_heard timestamptz,
    CHECK (received = stored + duplicate + rejected)
) WITH (fillfactor = 70);

-- Judging ------------------------------------------------------------------------------------

-- How far each shard's readings have been judged; moves in the transaction of their effects.
CREATE TABLE cursors (
    shard  integer PRIMARY KEY,
    seq    bigint NOT NULL
);

CREATE TABLE rule_snapshots (
    shard     integer PRIMARY KEY,
    seq       bigint NOT NULL,
    taken_at  timestamptz NOT NULL,
    state     bytea NOT NULL
);

-- Alerts -------------------------------------------------------------------------------------

CREATE TABLE alerts (
    id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_code         text NOT NULL,
    rule_fingerprint  text NOT NULL,
    subject_kind      text NOT NULL CHECK (subject_kind IN ('device', 'household', 'area')),
    subject_id        integer NOT NULL,
    since             timestamptz NOT NULL,
    fired_at          timestamptz NOT NULL,
    opened_at         timestamptz NOT NULL,
    category          text NOT NULL,
    severity          text NOT NULL CHECK (severity IN ('red', 'orange', 'yellow', 'blue')),
    title             jsonb NOT NULL,
    area_id           integer NOT NULL REFERENCES areas,
    household_id      integer REFERENCES households,
    device_id         integer REFERENCES devices,
    devices           integer[] NOT NULL,
    metrics           smallint[] NOT NULL,
    value             double precision,
    state             text NOT NULL
        CHECK (state IN ('open', 'acknowledged', 'cleared', 'closed')),
    silent_since      timestamptz,
    route_reason      text NOT NULL,
    acknowledged_at   timestamptz,
    acknowledged_by   integer REFERENCES members,
    cleared_at        timestamptz,
    closed_at         timestamptz,
    closed_by         integer REFERENCES members,
    outcome           text,
    note              text
);
-- One span of one rule at one subject is one alert, however often it is told.
CREATE UNIQUE INDEX alerts_identity ON alerts (rule_code, subject_kind, subject_id, since);
-- At most one of them needs a person at any time.
CREATE UNIQUE INDEX alerts_standing ON alerts (rule_code, subject_kind, subject_id)
    WHERE state IN ('open', 'acknowledged');
CREATE INDEX alerts_by_opening ON alerts (opened_at);

-- Every transition that had its effect, so that a crash may hand it over again without another.
-- at: when it took effect; of 'fired' the span's begin, which is all its identity.
CREATE TABLE alert_transitions (
    rule_code     text NOT NULL,
    subject_kind  text NOT NULL,
    subject_id    integer NOT NULL,
    change        text NOT NULL,
    since         timestamptz NOT NULL,
    at            timestamptz NOT NULL,
    alert_id      bigint NOT NULL REFERENCES alerts,
    PRIMARY KEY (rule_code, subject_kind, subject_id, since, change, at)
);

-- Who must act on an alert, and why they. No row: nobody, and route_reason says so.
CREATE TABLE alert_recipients (
    alert_id   bigint NOT NULL REFERENCES alerts,
    member_id  integer NOT NULL REFERENCES members,
    role       text NOT NULL,
    area_id    integer NOT NULL REFERENCES areas,
    reason     text NOT NULL,
    PRIMARY KEY (alert_id, member_id)
);
CREATE INDEX alert_recipients_by_member ON alert_recipients (member_id, alert_id);

-- The history of every alert; append-only.
CREATE TABLE alert_events (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id   bigint NOT NULL REFERENCES alerts,
    at         timestamptz NOT NULL,
    kind       text NOT NULL,
    reason     text NOT NULL,
    member_id  integer REFERENCES members,
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX alert_events_by_alert ON alert_events (alert_id, id);

-- What is to be told to whom by which channel: written with the alert, sent after the commit.
CREATE TABLE notifications (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id       uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    alert_id         bigint NOT NULL REFERENCES alerts,
    member_id        integer NOT NULL REFERENCES members,
    channel          text NOT NULL,
    occasion         text NOT NULL,
    body             jsonb NOT NULL,
    state            text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'delivered', 'rejected')),
    created_at       timestamptz NOT NULL,
    next_attempt_at  timestamptz NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    delivered_at     timestamptz,
    read_at          timestamptz,
    UNIQUE (alert_id, member_id, channel, occasion)
);
CREATE INDEX notifications_queued ON notifications (next_attempt_at, id) WHERE state = 'queued';

CREATE TABLE notification_attempts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id  bigint NOT NULL REFERENCES notifications,
    at               timestamptz NOT NULL,
    outcome          text NOT NULL,
    detail           text NOT NULL
);

-- Who looked at or changed what; append-only.
CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    member_id  integer REFERENCES members,
    action     text NOT NULL,
    alert_id   bigint REFERENCES alerts,
    detail     jsonb NOT NULL DEFAULT '{}'
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER alert_events_append_only BEFORE UPDATE OR DELETE ON alert_events
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE ON audit_log
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
