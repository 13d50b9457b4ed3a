-- What Grafana may read: counts, places and who answers for them. No vital value, no household, no
-- device of a household, no payload, no credential. Views run with their owner's rights, so the
-- group role needs SELECT on them alone.

CREATE SCHEMA dashboard;

-- A name in the reader's language, or in whichever there is.
CREATE FUNCTION dashboard.word(name jsonb, lang text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT coalesce(name ->> lang, name ->> 'zh', name ->> 'en') $$;

-- Every area with the community and the grid it is or lies in ('-': none).
CREATE VIEW dashboard.places AS
WITH RECURSIVE above AS (
    SELECT id AS area_id, 0 AS height, id, parent_id, kind, code, name FROM areas
    UNION ALL
    SELECT above.area_id, above.height + 1, a.id, a.parent_id, a.kind, a.code, a.name
    FROM above JOIN areas a ON a.id = above.parent_id
)
SELECT
    area_id,
    coalesce((array_agg(code ORDER BY height) FILTER (WHERE kind = 'community'))[1], '-')
        AS community,
    coalesce((array_agg(code ORDER BY height) FILTER (WHERE kind = 'grid'))[1], '-') AS grid,
    (array_agg(name ORDER BY height) FILTER (WHERE kind = 'community'))[1] AS community_name,
    (array_agg(name ORDER BY height) FILTER (WHERE kind = 'grid'))[1] AS grid_name,
    (array_agg(name ORDER BY height))[1] AS name
FROM above
GROUP BY area_id;

-- Alerts that still need a person, and who they were brought to. Of an alert in a home only the
-- category and the grid are told, unless it is a danger to the neighbours as well.
CREATE VIEW dashboard.standing_alerts AS
SELECT
    a.id,
    a.opened_at,
    a.severity,
    a.category,
    a.state,
    a.silent_since,
    a.route_reason,
    p.community,
    p.grid,
    p.community_name,
    p.grid_name,
    CASE WHEN personal.is THEN p.grid_name ELSE p.name END AS place,
    CASE WHEN personal.is THEN NULL ELSE a.title END AS title,
    coalesce(told.names, '[]') AS responsible,
    holder.name AS acknowledged_by
FROM alerts a
JOIN dashboard.places p USING (area_id)
CROSS JOIN LATERAL (
    SELECT a.household_id IS NOT NULL AND a.category NOT IN ('fire', 'safety') AS is
) personal
LEFT JOIN members holder ON holder.id = a.acknowledged_by
LEFT JOIN LATERAL (
    SELECT jsonb_agg(m.name ORDER BY m.id) AS names
    FROM alert_recipients r JOIN members m ON m.id = r.member_id
    WHERE r.alert_id = a.id
) told ON true
WHERE a.state IN ('open', 'acknowledged');

-- Devices in service by grid and kind. Silent: nothing heard for three of its reporting intervals.
-- Counted by area first: there are far fewer areas than devices.
CREATE VIEW dashboard.devices AS
WITH by_area AS (
    SELECT
        at.area_id,
        d.kind,
        count(*) AS total,
        count(*) FILTER (WHERE heard.silent) AS silent,
        count(*) FILTER (WHERE l.last_heard IS NULL) AS never_heard,
        min(l.last_heard) FILTER (WHERE heard.silent) AS silent_since
    FROM devices d
    JOIN placements at ON at.device_id = d.id AND at.valid_to IS NULL
    LEFT JOIN ledger l ON l.device_id = d.id
    CROSS JOIN LATERAL (
        SELECT l.last_heard IS NULL
            OR l.last_heard < now() - 3 * d.interval_us * interval '1 microsecond' AS silent
    ) heard
    WHERE d.retired_at IS NULL
    GROUP BY at.area_id, d.kind
)
SELECT
    p.community,
    p.grid,
    p.community_name,
    p.grid_name,
    a.kind,
    sum(a.total) AS total,
    sum(a.silent) AS silent,
    sum(a.never_heard) AS never_heard,
    min(a.silent_since) AS silent_since
FROM by_area a JOIN dashboard.places p USING (area_id)
GROUP BY p.community, p.grid, p.community_name, p.grid_name, a.kind;

-- Parking spaces by grid: bay sensors, and car parks that state their capacity where no bay sensors
-- count the same spaces. A fire lane is no parking space. What a silent device last said is not
-- counted as known.
CREATE VIEW dashboard.parking AS
WITH bays AS (
    SELECT d.id, at.area_id
    FROM devices d JOIN placements at ON at.device_id = d.id AND at.valid_to IS NULL
    WHERE d.retired_at IS NULL AND d.kind = 'parking_bay'
        AND coalesce((d.attributes ->> 'fire_lane')::double precision, 0) = 0
), counted AS (
    SELECT id, area_id FROM bays
    UNION ALL
    SELECT d.id, at.area_id
    FROM devices d JOIN placements at ON at.device_id = d.id AND at.valid_to IS NULL
    WHERE d.retired_at IS NULL AND d.kind = 'car_park'
        AND at.area_id NOT IN (SELECT area_id FROM bays)
), spaces AS (
    SELECT
        c.area_id,
        CASE d.kind WHEN 'parking_bay' THEN 1
            ELSE coalesce((d.attributes ->> 'capacity')::double precision, 0) END AS spaces,
        CASE d.kind WHEN 'parking_bay' THEN r.value
            ELSE (d.attributes ->> 'capacity')::double precision - r.value END AS occupied,
        coalesce(l.last_heard >= now() - 3 * d.interval_us * interval '1 microsecond', false)
            AND r.value IS NOT NULL AS known
    FROM counted c
    JOIN devices d USING (id)
    JOIN metrics m
        ON m.name = CASE d.kind WHEN 'parking_bay' THEN 'occupied' ELSE 'parking_free' END
    LEFT JOIN latest_readings r ON r.device_id = d.id AND r.metric_id = m.id
    LEFT JOIN ledger l ON l.device_id = d.id
), by_area AS (
    SELECT
        area_id,
        sum(spaces) AS spaces,
        coalesce(sum(spaces) FILTER (WHERE known), 0) AS known,
        coalesce(sum(least(greatest(occupied, 0), spaces)) FILTER (WHERE known), 0) AS occupied
    FROM spaces
    GROUP BY area_id
)
SELECT
    p.community,
    p.grid,
    p.community_name,
    p.grid_name,
    sum(a.spaces) AS spaces,
    sum(a.known) AS known,
    sum(a.occupied) AS occupied
FROM by_area a JOIN dashboard.places p USING (area_id)
GROUP BY p.community, p.grid, p.community_name, p.grid_name;

CREATE INDEX batches_by_commit ON batches (committed_at);

-- Committed batches, and whether the rules have judged them.
CREATE VIEW dashboard.batches AS
SELECT
    b.committed_at, b.heard_until, b.messages, b.stored, b.duplicate, b.rejected, b.readings,
    b.events, b.seq <= coalesce(c.seq, 0) AS judged
FROM batches b LEFT JOIN cursors c USING (shard);

-- Batches that wait for the rules.
CREATE VIEW dashboard.waiting_batches AS
SELECT b.seq, b.committed_at
FROM shards s
LEFT JOIN cursors c USING (shard)
JOIN batches b ON b.shard = s.shard AND b.seq > coalesce(c.seq, 0);

CREATE VIEW dashboard.rejected AS SELECT arrival, reason FROM rejected_messages;

-- Two independent counts of every message: by device, and by batch.
CREATE VIEW dashboard.ledger AS
SELECT by_device.*, by_batch.*
FROM (
    SELECT
        coalesce(sum(received), 0) AS received, coalesce(sum(stored), 0) AS stored,
        coalesce(sum(duplicate), 0) AS duplicate, coalesce(sum(rejected), 0) AS rejected
    FROM ledger
) by_device
CROSS JOIN (SELECT coalesce(sum(messages), 0) AS in_batches FROM batches) by_batch;

-- A role belongs to the whole cluster: another database of it may have made it already. Where the
-- migrating user may not make roles, an administrator makes it and runs the two GRANTs.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gridwarden_grafana') THEN
        CREATE ROLE gridwarden_grafana NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN insufficient_privilege THEN
        RAISE WARNING 'no right to create role gridwarden_grafana: Grafana cannot read yet';
END $$;
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'gridwarden_grafana') THEN
        GRANT USAGE ON SCHEMA dashboard TO gridwarden_grafana;
        GRANT SELECT ON ALL TABLES IN SCHEMA dashboard TO gridwarden_grafana;
    END IF;
END $$;
