-- For the Community edition, by hand (docs/retention.md): readings and events from more than 30 days ago
-- go into the columnstore. In the order of time and seq, so that both have least and greatest for each
-- piece: the service looks batches up by seq.
ALTER TABLE readings SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'device_id, metric_id', timescaledb.orderby = 'time, seq');
ALTER TABLE events SET (timescaledb.enable_columnstore,
    timescaledb.segmentby = 'device_id, metric_id', timescaledb.orderby = 'time, seq, digest');
CALL add_columnstore_policy('readings', after => INTERVAL '30 days');
CALL add_columnstore_policy('events', after => INTERVAL '30 days');
