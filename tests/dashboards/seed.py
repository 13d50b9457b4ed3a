"""A small community in the database, seen at the transaction's own `now()`."""

from typing import Any

import psycopg

SECRETS = ("household-of-the-lis", "86.125", "argon2-secret", "secret-bytes", "13000000000")
"""What stands in the tables and may not come out of any view."""

COMMUNITY = """
INSERT INTO areas (code, kind, parent_id, name) VALUES
    ('d', 'district', NULL, '{"zh": "区", "en": "District"}'),
    ('c', 'community', 1, '{"zh": "社区", "en": "Riverside"}'),
    ('g1', 'grid', 2, '{"zh": "一格", "en": "Grid 1"}'),
    ('g2', 'grid', 2, '{"zh": "二格", "en": "O''Neill grid"}'),
    ('b1', 'building', 3, '{"zh": "一号楼", "en": "Building 1"}');
INSERT INTO households (code, area_id, name, care) VALUES
    ('h1', 5, '{"zh": "household-of-the-lis"}', true);
INSERT INTO metrics (id, name, unit, kind, label) VALUES
    (10, 'occupied', '1', 'state', '{}'), (11, 'parking_free', '{space}', 'gauge', '{}'),
    (34, 'spo2', '%', 'gauge', '{}');
INSERT INTO members (code, name, phone, password_hash) VALUES
    ('wang', '{"zh": "王芳", "en": "Wang Fang"}', '13000000000', 'argon2-secret'),
    ('li', '{"zh": "李强", "en": "Li Qiang"}', NULL, NULL);
INSERT INTO devices (community_id, code, kind, name, interval_us, metrics, attributes) VALUES
    (2, 'bay1', 'parking_bay', '{}', 60000000, '{occupied}', '{}'),
    (2, 'bay2', 'parking_bay', '{}', 60000000, '{occupied}', '{}'),
    (2, 'bay3', 'parking_bay', '{}', 60000000, '{occupied}', '{}'),
    (2, 'park', 'car_park', '{}', 600000000, '{parking_free}', '{"capacity": 100}'),
    (2, 'band', 'wearable', '{"zh": "household-of-the-lis"}', 600000000, '{spo2}', '{}'),
    (2, 'gone', 'wearable', '{}', 60000000, '{spo2}', '{}'),
    (2, 'lane', 'parking_bay', '{}', 60000000, '{occupied}', '{"fire_lane": 1}'),
    (2, 'same', 'car_park', '{}', 60000000, '{parking_free}', '{"capacity": 3}');
UPDATE devices SET retired_at = now() WHERE code = 'gone';
INSERT INTO placements (device_id, area_id, household_id, valid_from) VALUES
    (1, 4, NULL, '2026-01-01Z'), (2, 4, NULL, '2026-01-01Z'), (3, 4, NULL, '2026-01-01Z'),
    (4, 2, NULL, '2026-01-01Z'), (5, 5, 1, '2026-01-01Z'), (6, 5, 1, '2026-01-01Z'),
    (7, 4, NULL, '2026-01-01Z'), (8, 4, NULL, '2026-01-01Z');
INSERT INTO ledger (device_id, received, stored, duplicate, rejected, last_heard) VALUES
    (0, 2, 0, 0, 2, NULL),
    (1, 10, 9, 1, 0, now() - interval '180 s'),
    (2, 10, 10, 0, 0, now() - interval '181 s'),
    (4, 5, 5, 0, 0, now() - interval '1 min'),
    (5, 3, 3, 0, 0, now() - interval '10 min'),
    (7, 0, 0, 0, 0, now()), (8, 0, 0, 0, 0, now());
INSERT INTO latest_readings (device_id, metric_id, time, value) VALUES
    (1, 10, now(), 1), (2, 10, now(), 1), (4, 11, now(), 25), (5, 34, now(), 86.125),
    (7, 10, now(), 1), (8, 11, now(), 3);
"""

ALERTS = """
INSERT INTO alerts (rule_code, rule_fingerprint, subject_kind, subject_id, since, fired_at,
    opened_at, category, severity, title, area_id, household_id, device_id, devices, metrics,
    value, state, silent_since, route_reason, acknowledged_by, note) VALUES
    ('care.spo2_low', 'f', 'household', 1, now(), now(), now() - interval '300 s', 'care', 'red',
     '{"zh": "血氧过低", "en": "Low blood oxygen"}', 5, 1, 5, '{5}', '{34}',
     86.125, 'open', NULL, 'duty_at_place', NULL, NULL),
    ('fire.smoke', 'f', 'household', 1, now(), now(), now() - interval '200 s', 'fire', 'red',
     '{"zh": "烟雾", "en": "Smoke"}', 5, 1, NULL, '{5}', '{34}',
     1, 'acknowledged', NULL, 'duty_at_place', 2, 'household-of-the-lis'),
    ('parking.full', 'f', 'device', 4, now(), now(), now() - interval '100 s', 'parking', 'yellow',
     '{"zh": "车位将满", "en": "Filling up"}', 2, NULL, 4, '{4}', '{11}',
     96, 'open', now(), 'nobody', NULL, NULL),
    ('parking.full', 'f', 'device', 3, now(), now(), now(), 'parking', 'blue',
     '{}', 4, NULL, 3, '{3}', '{10}', 1, 'closed', NULL, 'nobody', NULL, NULL);
INSERT INTO alert_recipients (alert_id, member_id, role, area_id, reason) VALUES
    (1, 1, 'leader', 3, 'duty'), (1, 2, 'doctor', 3, 'duty'), (2, 2, 'leader', 3, 'duty');
"""

PIPELINE = """
INSERT INTO shards (shard, last_seq) VALUES (0, 3);
INSERT INTO batches (seq, shard, prev_seq, committed_at, heard_until, messages, stored, duplicate,
    rejected, readings, events) VALUES
    (1, 0, 0, '2026-11-20T08:00:10Z', 'epoch', 20, 18, 1, 1, 40, 5),
    (2, 0, 1, '2026-11-20T08:00:40Z', '2026-11-20T08:00:38Z', 10, 9, 0, 1, 15, 0),
    (3, 0, 2, now() - interval '90 s', now() - interval '91 s', 0, 0, 0, 0, 0, 0);
INSERT INTO cursors (shard, seq) VALUES (0, 2);
INSERT INTO rejected_messages (seq, arrival, topic, payload, reason, detail, partial) VALUES
    (1, '2026-11-20T08:00:05Z', 'gw/v1/c/x/up', 'secret-bytes', 'unknown_device', '', false),
    (2, '2026-11-20T08:00:35Z', 'gw/v1/c/x/up', 'secret-bytes', 'bad_payload', '', false);
"""


async def seed(conn: psycopg.AsyncConnection[Any], *scripts: str) -> None:
    """Runs these scripts in the connection's transaction."""
    for script in scripts:
        await conn.execute(script.encode())
