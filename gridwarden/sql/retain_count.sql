SELECT count(*) FROM {table} r WHERE r.{time} < %(before)s AND NOT ({held})
