-- After the broker has confirmed: all but these.
DELETE FROM shard_subscriptions
WHERE shards = %(shards)s AND shard = %(shard)s AND community <> ALL(%(communities)s::text[])
