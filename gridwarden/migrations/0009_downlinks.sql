-- What is to be said back to a device that a person called with: written with the change of the
-- alert, sent after the commit. told: the alert's state that is said, `at`: since when; of one alert
-- and device only the newest is sent. event_id: the line of the alert's history that says so.
CREATE TABLE downlinks (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_id       uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    event_id         bigint NOT NULL UNIQUE REFERENCES alert_events,
    alert_id         bigint NOT NULL REFERENCES alerts,
    device_id        integer NOT NULL REFERENCES devices,
    told             text NOT NULL CHECK (told IN ('acknowledged', 'cleared', 'closed')),
    at               timestamptz NOT NULL,
    state            text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'delivered', 'rejected', 'dropped')),
    next_attempt_at  timestamptz NOT NULL,
    attempts         integer NOT NULL DEFAULT 0,
    delivered_at     timestamptz,
    UNIQUE (alert_id, device_id, at)
);
CREATE INDEX downlinks_queued ON downlinks (next_attempt_at, id) WHERE state = 'queued';

CREATE TABLE downlink_attempts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    downlink_id  bigint NOT NULL REFERENCES downlinks,
    at           timestamptz NOT NULL,
    outcome      text NOT NULL,
    detail       text NOT NULL
);
CREATE INDEX downlink_attempts_of ON downlink_attempts (downlink_id, id);
