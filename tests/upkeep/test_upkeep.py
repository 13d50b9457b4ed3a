"""Upkeep as the service and the command do it: one at a time, and again after a failure."""

import asyncio
from datetime import timedelta

import psycopg
import pytest
from psycopg import AsyncConnection
from typer.testing import CliRunner

from devices.instant import to_datetime, to_micros
from gridwarden.cli import app
from gridwarden.clock import WallClock
from gridwarden.retention import Retention
from gridwarden.settings import Settings
from gridwarden.upkeep import Done, keep_up, turn_of
from tests.clock import ManualClock
from tests.conftest import OwnPostgres
from tests.ingest.site import NOW
from tests.upkeep.books import Connection, exact, keep, pulse, rows, wearables
from tests.upkeep.test_retention import KEPT, settle
from tests.waiting import until

SITE = wearables(1)


async def test_a_turn_sums_up_and_drops_and_tells(either: Connection, either_url: str) -> None:
    old, new = to_datetime(NOW) - timedelta(days=15), to_datetime(NOW)
    await keep(either, SITE, [pulse(old, 70), pulse(new, 71)])
    told: list[tuple[str, int]] = []
    clock = ManualClock(NOW)
    first = await turn_of(either_url, KEPT, clock, tell=lambda *piece: told.append(piece))
    assert (first.batches, first.dropped, told) == (1, (), [("batches summed up", 1)])
    await settle(either)
    second = await turn_of(either_url, KEPT, clock, tell=lambda *piece: told.append(piece))
    assert [piece.table for piece in second.dropped] == ["readings"]
    assert told[1:] == [("readings", 1)]
    assert await rows(either, "SELECT time FROM readings") == [(new,)]
    assert await turn_of(either_url, KEPT, clock) == Done()


async def test_one_session_at_a_time(database_url: str) -> None:
    async with await AsyncConnection.connect(database_url, autocommit=True) as conn:
        await keep(conn, SITE, [pulse(to_datetime(NOW), 70)])
        await conn.execute("SELECT pg_advisory_lock(%s)", (int.from_bytes(b"gwupkeep", "big"),))
        assert await turn_of(database_url, KEPT, ManualClock(NOW)) == Done(taken=True)
        await conn.execute("SELECT pg_advisory_unlock_all()")
        done = await turn_of(database_url, KEPT, ManualClock(NOW))
        assert done.batches == 1


async def test_it_goes_on_when_the_database_is_back(own_postgres: OwnPostgres) -> None:
    url = own_postgres.url
    task = asyncio.create_task(keep_up(url, KEPT, ManualClock(NOW), every_s=0.05, first_drop=0))

    async def store_and_wait(minute: int) -> None:
        at = to_datetime(NOW) - timedelta(minutes=minute)
        async with await AsyncConnection.connect(url, autocommit=True) as conn:
            await keep(conn, SITE, [pulse(at, 70 + minute)])

            async def summed() -> bool:
                query = "SELECT FROM readings_5m WHERE last_time >= %s AND first_time <= %s"
                return bool(await rows(conn, query, at, at))

            await until(summed, what="the reading in the roll-up")

    try:
        await store_and_wait(20)
        await asyncio.to_thread(own_postgres.kill)
        await asyncio.to_thread(own_postgres.start)
        await store_and_wait(2)
        async with await AsyncConnection.connect(url) as conn:
            await exact(conn, [1], "UTC")
        assert not task.done()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_command(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDWARDEN_DATABASE_URL", database_url)
    monkeypatch.setenv("GRIDWARDEN_KEEP_READINGS_DAYS", "10")
    now = to_datetime(WallClock().now())

    async def begin() -> None:
        async with await AsyncConnection.connect(database_url, autocommit=True) as conn:
            messages = [pulse(now - timedelta(days=days), 70) for days in (12, 1)]
            await keep(conn, SITE, messages, now=to_micros(now))

    asyncio.run(begin())
    said = CliRunner().invoke(app, ["upkeep", "--dry-run"]).output.splitlines()
    assert said[:2] == ["to sum up: 1 batches, 2 readings", "too old in readings: 0"]
    said = CliRunner().invoke(app, ["upkeep", "--once"]).output.splitlines()
    assert said == [
        "batches summed up: 1",
        "done: 1 batches summed up, 0 chunks and 0 rows dropped",
    ]

    async def judged() -> None:
        async with await AsyncConnection.connect(database_url, autocommit=True) as conn:
            await settle(conn)

    asyncio.run(judged())
    said = CliRunner().invoke(app, ["upkeep", "--dry-run"]).output.splitlines()
    assert said[:2] == ["to sum up: 0 batches, 0 readings", "too old in readings: 1"]
    said = CliRunner().invoke(app, ["upkeep", "--once"]).output.splitlines()
    assert said == ["readings: 1", "done: 0 batches summed up, 1 chunks and 0 rows dropped"]
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT count(*) FROM readings").fetchone() == (1,)


def test_the_settings_say_how_long() -> None:
    assert Settings().retention() == Retention(
        readings=400, events=400, rejected=90, batches=400, minutes=400, hours=1100, days=3660
    )
