"""The broker is stopped and started while messages wait in its queue, which is on its disk.

Stopped in order it loses nothing; killed it loses what it had not saved (docs/guarantees.md).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import orjson
import pytest

from ingest import ledger
from ingest.session import Version
from ingest.store import undated
from tests.ingest.site import NOW, ms
from tests.ingest.test_run import Pool, Run, number, publish, source_of, totals
from tests.services.server import Provider, Server

STORED = "SELECT count(*) FROM readings"
WINDOW = 1_000
"""The collector holds no more than this; what is beyond it waits in the broker."""

SOME = 500
BACKLOG = 3_000


@pytest.fixture
def forgetful(services: Callable[[], Provider]) -> Iterator[Server]:
    """A broker that saves only at its end."""
    broker = services().mosquitto(autosave_interval="1800")
    yield broker
    broker.remove()


def readings(numbers: range) -> list[tuple[str, bytes]]:
    """Messages of one value each, all different; every third without a time of its own."""

    def payload(n: int) -> bytes:
        dated = {} if n % 3 == 0 else {"ts": ms(NOW) + n}
        return orjson.dumps({**dated, "values": {"pulse": 60 + n % 100}})

    return [(f"gw/v1/c1/w{n % 2 + 1}/up", payload(n)) for n in numbers]


async def restart(broker: Server) -> None:
    await asyncio.to_thread(broker.stop)
    await asyncio.to_thread(broker.start)


@asynccontextmanager
async def running(broker: Server, pool: Pool, version: Version) -> AsyncIterator[Run]:
    """A collector that goes on where the last one stopped."""
    async with pool.connection() as conn:
        stored = await undated(conn, 0)
    async with source_of(broker, stored=stored, version=version) as source:
        run = Run(source, pool)
        await source.wait_connected()
        yield run
        source.stop()
        await run.task


async def collected(broker: Server, pool: Pool, messages: int, version: Version = "5") -> int:
    """Collect until so many are stored and nothing is in flight; how many came."""
    async with running(broker, pool, version) as run:
        await run.until_stored(messages)
        return run.source.received


async def introduced(broker: Server, version: Version) -> None:
    """The session begins, and the collector leaves: the broker queues for it from now on."""
    async with source_of(broker, version=version) as source:
        await source.wait_connected()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_waited_in_a_broker_that_was_stopped_is_all_stored_once(
    own_broker: Server, pool: Pool, version: Version
) -> None:
    await introduced(own_broker, version)
    await publish(own_broker, readings(range(BACKLOG)))
    await restart(own_broker)
    received = await collected(own_broker, pool, BACKLOG, version)
    counts = await totals(pool)
    assert (received, counts.stored, counts.duplicate, counts.rejected) == (BACKLOG, BACKLOG, 0, 0)
    assert await number(pool, STORED) == BACKLOG


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_broker_that_is_stopped_in_the_middle_of_a_backlog_loses_nothing(
    own_broker: Server, pool: Pool, version: Version
) -> None:
    async with running(own_broker, pool, version) as run:
        await publish(own_broker, readings(range(SOME)))
        await run.until_stored(SOME)
        async with pool.connection() as conn:
            # The collector waits with a window full of messages, the broker holds the rest.
            await conn.execute("SELECT FROM shards FOR UPDATE")
            await publish(own_broker, readings(range(SOME, BACKLOG)))
            await run.until_received(SOME + WINDOW)
            await restart(own_broker)
        await run.until_stored(BACKLOG)
        assert run.source.connections > 1
    counts = await totals(pool)
    assert (counts.stored, counts.rejected) == (BACKLOG, 0)
    assert ledger.balance(counts, received=run.source.received) == 0
    assert await number(pool, STORED) == BACKLOG


@pytest.mark.parametrize("kills", [False, True])
async def test_a_killed_broker_loses_what_only_it_had_and_had_not_saved(
    forgetful: Server, pool: Pool, kills: bool
) -> None:
    await introduced(forgetful, "5")
    await publish(forgetful, readings(range(50)))
    if kills:
        await asyncio.to_thread(forgetful.kill)
        await asyncio.to_thread(forgetful.start)
        await introduced(forgetful, "5")
    else:
        await restart(forgetful)
    await publish(forgetful, readings(range(50, 60)))
    expected = 10 if kills else 60
    assert await collected(forgetful, pool, expected) == expected
    assert await number(pool, STORED) == expected
