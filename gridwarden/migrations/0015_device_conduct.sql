-- How devices behave whose messages are not as they should be: late, of two minds, ahead, of impossible
-- times, too many; how often and when last. A device of which nothing of the kind was seen has no row.
-- run_…: consecutive messages by whose times its clock is wrong by about the same; lags are arrival less
-- the message's time. spell_…: impossible times without a day between them. offset_us: its clock less
-- ours where that is found wrong. Counts follow deliveries, as the ledger's do.
CREATE TABLE device_conduct (
    device_id           integer PRIMARY KEY,
    late                bigint NOT NULL DEFAULT 0,
    last_late           timestamptz,
    contradicting       bigint NOT NULL DEFAULT 0,
    last_contradicting  timestamptz,
    ahead               bigint NOT NULL DEFAULT 0,
    last_ahead          timestamptz,
    impossible          bigint NOT NULL DEFAULT 0,
    last_impossible     timestamptz,
    too_many            bigint NOT NULL DEFAULT 0,
    last_too_many       timestamptz,
    run_from            timestamptz,
    run_last            timestamptz,
    run_messages        bigint,
    run_lowest_us       bigint,
    run_highest_us      bigint,
    spell_from          timestamptz,
    spell_messages      bigint,
    spell_lag_us        bigint,
    offset_us           bigint,
    CHECK ((run_from IS NULL) = (run_messages IS NULL)),
    CHECK ((spell_from IS NULL) = (spell_messages IS NULL))
);
-- Those whose next right message changes something: looked at with every batch, usually none.
CREATE INDEX device_conduct_suspected ON device_conduct (device_id)
    WHERE run_from IS NOT NULL OR offset_us IS NOT NULL;
