-- The chunks of a hypertable that lie wholly before an instant, oldest first.
SELECT chunk_schema, chunk_name, range_start, range_end, is_compressed
FROM timescaledb_information.chunks
WHERE hypertable_schema = current_schema() AND hypertable_name = %(table)s
  AND range_end <= %(before)s
ORDER BY range_end
