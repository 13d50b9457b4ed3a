-- A piece of a table's rows from before an instant that nothing holds.
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT r.ctid FROM {table} r WHERE r.{time} < %(before)s AND NOT ({held}) LIMIT %(limit)s
))
