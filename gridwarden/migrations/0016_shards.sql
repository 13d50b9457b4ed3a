-- How many workers share the communities. No row: no worker has run yet.
-- going_to: `gridwarden reshard` is on its way there, and the layout in force still counts.
-- came_from, mark: the layout in force is new, and what lies before this mark in the new sessions is
-- still to be thrown away, for the old ones had it.
CREATE TABLE shard_layout (
    id         integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    shards     integer NOT NULL CHECK (shards >= 1),
    going_to   integer CHECK (going_to >= 1),
    came_from  integer CHECK (came_from >= 1),
    mark       text,
    CHECK ((came_from IS NULL) = (mark IS NULL)),
    CHECK (going_to IS NULL OR came_from IS NULL)
);
INSERT INTO shard_layout (shards) SELECT 1 WHERE EXISTS (SELECT FROM cursors);

-- The communities whose topics a shard's MQTT session may be subscribed to: written before the broker
-- is asked, and taken away after it has confirmed the end. With one shard nothing is written here.
CREATE TABLE shard_subscriptions (
    shards     integer NOT NULL,
    shard      integer NOT NULL,
    community  text NOT NULL,
    PRIMARY KEY (shards, shard, community)
);
