SELECT community FROM shard_subscriptions WHERE shards = %(shards)s AND shard = %(shard)s
