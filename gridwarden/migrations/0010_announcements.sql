-- What devices announced of themselves and their messages need to be understood: births and sequence of
-- Sparkplug B edge nodes, Home Assistant's entities. `subject` is what the format calls it, `state` is
-- the format's own; seq: the batch that changed it last, in whose transaction it was written.
CREATE TABLE announcements (
    community  text NOT NULL,
    format     text NOT NULL,
    subject    text NOT NULL,
    state      bytea NOT NULL,
    seq        bigint NOT NULL,
    PRIMARY KEY (community, format, subject)
) WITH (fillfactor = 70);
