"""The database's disk is really full: a small file system, filled and emptied again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import cast

import orjson
import psycopg
import pytest
from pydantic import SecretStr

from devices.instant import DAY
from gridwarden.migrate import migrate
from gridwarden.service import open_pool
from gridwarden.settings import Settings
from ingest import ledger
from ingest.fate import Counts
from tests.ingest.site import NOW, ms
from tests.ingest.test_run import Pool, number, publish, running, told, totals
from tests.services.databases import url_of
from tests.services.server import Provider, Server, SmallDiskServer

STORED = "SELECT count(*) FROM readings"
SOME = 60


@pytest.fixture
def small(services: Callable[[], Provider]) -> Iterator[SmallDiskServer]:
    """A server with the database `gridwarden` in the tablespace that can be filled, migrated."""
    server = services().postgres_on_small_disk()
    with psycopg.connect(server.url, autocommit=True) as conn:
        conn.execute(f"CREATE TABLESPACE small LOCATION '{server.tablespace.path}'")
        conn.execute("CREATE DATABASE gridwarden TABLESPACE small")
    migrate(url_of(server.url, "gridwarden"))
    yield server
    server.remove()


@pytest.fixture
async def small_pool(small: SmallDiskServer) -> AsyncIterator[Pool]:
    """The service's pool on it."""
    settings = Settings(database_url=SecretStr(url_of(small.url, "gridwarden")))
    async with open_pool(settings) as pool:
        yield cast("Pool", pool)


def readings(numbers: range) -> list[tuple[str, bytes]]:
    """Messages of one value each, each of another day: a day is a table, and takes new room."""
    return [
        (
            f"gw/v1/c1/w{n % 2 + 1}/up",
            orjson.dumps({"ts": ms(NOW - n * DAY), "values": {"pulse": 60 + n}}),
        )
        for n in numbers
    ]


async def test_a_disk_that_is_full_is_waited_for_and_told_of_once(
    small: SmallDiskServer, small_pool: Pool, own_broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    async with running(own_broker, small_pool) as run:
        await publish(own_broker, readings(range(10)))
        await run.until_stored(10)
        small.tablespace.fill()
        await publish(own_broker, readings(range(10, SOME)))
        await run.until_failed(3)
        assert run.source.acknowledged == 10, "what is not stored is not acknowledged"
        assert (await totals(small_pool)).stored == 10
        small.tablespace.free()
        await run.until_stored(SOME)
        assert run.counts == Counts(messages=SOME, stored=SOME, duplicate=0, rejected=0)
    (away,) = told(caplog, "ingest.database_away")
    assert (away["state"], "free space" in away["mend"]) == ("disk full", True)
    assert "No space left on device" in away["reason"]
    assert len(told(caplog, "ingest.database_back")) == 1
    assert await number(small_pool, STORED) == SOME
    assert ledger.balance(await totals(small_pool), received=run.source.received) == 0


def use_up_wal(url: str) -> None:
    """Write until the server has nowhere to write to, and ends by itself."""
    with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as conn:
        while True:
            conn.execute("SELECT pg_logical_emit_message(false, 'full', repeat('x', 900000))")


async def test_a_database_that_ends_because_its_wal_has_no_room_has_lost_nothing(
    small: SmallDiskServer, small_pool: Pool, own_broker: Server, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(own_broker, small_pool) as run:
        await publish(own_broker, readings(range(10)))
        await run.until_stored(10)
        small.wal.fill()
        await asyncio.to_thread(use_up_wal, small.url)
        await publish(own_broker, readings(range(10, SOME)))
        await run.until_failed(1)
        assert run.source.acknowledged == 10
        await asyncio.to_thread(small.kill)
        small.wal.free()
        await asyncio.to_thread(small.start)
        await run.until_stored(SOME)
        assert run.counts.duplicate == run.counts.rejected == 0
    (away,) = told(caplog, "ingest.database_away")
    assert away["state"] in {"away", "disk full", "starting"}
    assert await number(small_pool, STORED) == SOME
    assert ledger.balance(await totals(small_pool), received=run.source.received) == 0
