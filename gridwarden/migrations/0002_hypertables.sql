-- Readings and events become hypertables where the server has TimescaleDB, of whichever edition.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
        CREATE EXTENSION IF NOT EXISTS timescaledb;
        PERFORM create_hypertable('readings', by_range('time', INTERVAL '1 day'),
                                  create_default_indexes => false);
        PERFORM create_hypertable('events', by_range('time', INTERVAL '7 days'),
                                  create_default_indexes => false);
    END IF;
END $$;
