-- The first arrival of messages that carry no time of their own, by the broker's packet id: if the
-- acknowledgement was lost in a crash, the redelivered message is dated as before and so recognised.
CREATE TABLE undated_messages (
    shard      integer NOT NULL,
    packet_id  integer NOT NULL,
    digest     bytea NOT NULL,
    arrival    timestamptz NOT NULL,
    seq        bigint NOT NULL,
    PRIMARY KEY (shard, packet_id)
) WITH (fillfactor = 70);
