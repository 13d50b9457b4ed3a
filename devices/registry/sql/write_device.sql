-- Devices as the site says; their gateways follow in link_devices.sql, when all of them exist.
INSERT INTO devices (community_id, code, kind, name, interval_us, metrics, attributes,
                     address)
SELECT areas.id, wanted.code, wanted.kind, wanted.name, wanted.interval_us, wanted.metrics,
       wanted.attributes, wanted.address
FROM jsonb_to_recordset(%(rows)s)
    AS wanted (community text, code text, kind text, name jsonb, interval_us bigint,
               metrics text[], attributes jsonb, address text)
JOIN areas ON areas.code = wanted.community
ON CONFLICT (community_id, code) DO UPDATE
SET kind = excluded.kind,
    name = excluded.name,
    interval_us = excluded.interval_us,
    metrics = excluded.metrics,
    attributes = excluded.attributes,
    address = excluded.address,
    retired_at = NULL
