-- Accounts on the broker that were handed out, and when; no secrets. The broker is the truth for who
-- can sign in, this table for what was given to whom; `gridwarden accounts sync` brings them into line.
CREATE TABLE broker_accounts (
    username    text PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('device', 'gateway', 'member')),
    device_id   integer UNIQUE REFERENCES devices,
    member_id   integer UNIQUE REFERENCES members,
    client_id   text NOT NULL,
    created_at  timestamptz NOT NULL,
    rotated_at  timestamptz,
    revoked_at  timestamptz,
    CHECK ((kind = 'member') = (member_id IS NOT NULL)),
    CHECK ((kind = 'member') = (device_id IS NULL))
);
