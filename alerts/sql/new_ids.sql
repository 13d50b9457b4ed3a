SELECT nextval(pg_get_serial_sequence('alerts', 'id')) FROM generate_series(1, %(count)s)
