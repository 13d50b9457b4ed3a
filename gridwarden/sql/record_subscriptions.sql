-- Before the broker is asked.
INSERT INTO shard_subscriptions (shards, shard, community)
SELECT %(shards)s, %(shard)s, unnest(%(communities)s::text[]) ON CONFLICT DO NOTHING
