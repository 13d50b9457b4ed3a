DELETE FROM collectors WHERE shard = %(shard)s AND started_at = %(started_at)s
