-- When a rejected message was stored after all, and by whom: `gridwarden rejected retry`.
ALTER TABLE rejected_messages
    ADD COLUMN retried_at timestamptz,
    ADD COLUMN retried_by text;
CREATE INDEX rejected_standing ON rejected_messages (id) WHERE retried_at IS NULL;

-- What each running collector counts since its start, as of `reported_at`: messages in flight are in its
-- memory only. waiting: those in flight that are in no batch yet.
CREATE TABLE collectors (
    shard        integer PRIMARY KEY,
    started_at   timestamptz NOT NULL,
    reported_at  timestamptz NOT NULL,
    connected    boolean NOT NULL,
    received     bigint NOT NULL,
    stored       bigint NOT NULL,
    duplicate    bigint NOT NULL,
    rejected     bigint NOT NULL,
    in_flight    bigint NOT NULL,
    waiting      bigint NOT NULL
) WITH (fillfactor = 70);
