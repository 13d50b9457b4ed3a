"""The worker's reports through an outage, and what the survey sees of outbox, alerts and judge."""

import asyncio
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices.instant import SECOND, to_datetime
from gridwarden import heartbeat
from gridwarden.clock import WallClock
from gridwarden.heartbeat import Heartbeat
from gridwarden.survey import Survey
from ingest.fate import Counts
from ingest.tally import Tally
from tests.conftest import OwnPostgres
from tests.gridwarden.test_metrics import idle
from tests.waiting import until

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]
CLOCK = WallClock()

STANDING = """
INSERT INTO areas (code, kind, name) VALUES ('c1', 'community', '{}');
INSERT INTO members (code, name) VALUES ('wang', '{}');
INSERT INTO alerts (rule_code, rule_fingerprint, subject_kind, subject_id, since, fired_at,
                    opened_at, category, severity, title, area_id, devices, metrics, state,
                    route_reason)
VALUES ('r', 'f', 'area', 1, now(), now(), now(), 'care', 'red', '{}', 1, '{}', '{}', 'open', '');
INSERT INTO notifications (alert_id, member_id, channel, occasion, body, state, created_at,
                           next_attempt_at)
VALUES (1, 1, 'mqtt', 'opened', '{}', 'queued', now() - interval '90 s', now()),
       (1, 1, 'web', 'opened', '{}', 'delivered', now(), now());
INSERT INTO notification_attempts (notification_id, at, outcome, detail)
VALUES (1, now(), 'retry', '');
INSERT INTO batches (seq, shard, prev_seq, committed_at, heard_until, messages, stored, duplicate,
                     rejected, readings, events)
SELECT n, n % 2, 0, now(), now(), 1, 1, 0, 0, 1, 0 FROM generate_series(1, 10) AS n;
"""
MORE = """
INSERT INTO notification_attempts (notification_id, at, outcome, detail)
VALUES (1, now(), 'retry', ''), (1, now(), 'retry', ''), (2, now(), 'delivered', '');
INSERT INTO alert_events (alert_id, at, kind, reason) VALUES (1, now(), 'acknowledged', '');
INSERT INTO devices (community_id, code, kind, name, interval_us, metrics)
VALUES (1, 'sos', 'sos_button', '{}', 1, '{}');
INSERT INTO downlinks (event_id, alert_id, device_id, told, at, next_attempt_at)
VALUES (1, 1, 1, 'acknowledged', now(), now());
INSERT INTO downlink_attempts (downlink_id, at, outcome, detail) VALUES (1, now(), 'retry', '');
"""


async def execute(pool: Pool, statements: str) -> None:
    async with pool.connection() as conn:
        await conn.execute(statements.encode())


async def test_the_survey_counts_what_waits_and_what_was_told_since_its_first_look(
    pool: Pool,
) -> None:
    await execute(pool, STANDING)
    survey = Survey(pool, CLOCK, 0, lambda: 4)
    await survey.look()
    first = survey.standing
    assert first is not None
    assert (first.queued, first.told) == ({"mqtt": 1, "device": 0}, {})
    assert 90 <= first.oldest_s < 600
    assert (first.alerts, first.behind) == ({("red", "open"): 1}, 3)
    await execute(pool, MORE)
    for _ in range(2):  # nothing is counted a second time
        await survey.look()
        assert survey.standing is not None
        assert survey.standing.queued == {"mqtt": 1, "device": 1}
        assert survey.standing.told == {
            ("mqtt", "retry"): 2,
            ("web", "delivered"): 1,
            ("device", "retry"): 1,
        }


async def test_reports_go_on_after_an_outage_and_end_with_the_worker(
    own_postgres: OwnPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY_S", 0.05)
    tally = Tally(counts=Counts(3, 1, 1, 1))
    pool: Pool = AsyncConnectionPool(
        own_postgres.url,
        min_size=1,
        max_size=2,
        timeout=2,
        open=False,
        check=AsyncConnectionPool.check_connection,
    )
    async with pool:
        heart = Heartbeat(pool, CLOCK, 5, idle(), tally)

        async def reported(after: int) -> list[tuple[Any, ...]]:
            query = (
                "SELECT shard, stored, duplicate, rejected, in_flight, connected FROM collectors"
                " WHERE reported_at > %s"
            )
            with suppress(psycopg.OperationalError):
                async with await psycopg.AsyncConnection[Any].connect(own_postgres.url) as conn:
                    return await (await conn.execute(query, (to_datetime(after),))).fetchall()
            return []

        async def lately(after: int) -> None:
            async def told() -> bool:
                return await reported(after) == [(5, 1, 1, 1, 0, False)]

            await until(told, what="a report", at_most_s=60)

        beating = asyncio.create_task(heart.beat())
        await lately(heart.started - SECOND)
        await asyncio.to_thread(own_postgres.kill)
        await asyncio.to_thread(own_postgres.start)
        await lately(CLOCK.now())
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating
        other = Heartbeat(pool, CLOCK, 5, idle(), tally)
        await other.leave()
        assert await reported(0) != []
        await heart.leave()
        assert await reported(0) == []
