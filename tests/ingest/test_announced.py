"""What devices announce, from the broker into the database and back after a crash."""

import asyncio
from typing import Any

import orjson
import pytest
from psycopg import AsyncConnection

from devices.formats.memory import NOTHING, Memory
from ingest.announced import announced
from ingest.decode import decode
from ingest.fate import Counts
from ingest.session import Version
from ingest.store import store, undated
from tests.formats.test_sparkplug import bdseq, degrees, payload
from tests.ingest.publisher import Publisher
from tests.ingest.site import LIMITS, NOW, inventory, on_topic
from tests.ingest.test_run import (
    REFUSE_66,
    Crashing,
    KilledError,
    Pool,
    Run,
    number,
    publish,
    readings,
    running,
    source_of,
)
from tests.services.server import Server

NODE = "gw/v1/c1/ext/sparkplug/spBv1.0/Hall/{}/Ceiling"
CONFIG = "gw/v1/c1/ext/homeassistant/ha/binary_sensor/door/config"
DOOR = orjson.dumps({"stat_t": "hall/door", "dev_cla": "door", "dev": {"ids": "Hall/Ceiling"}})
STATE = "gw/v1/c1/ext/homeassistant/hall/door"
TEMPERATURES = "SELECT count(*) FROM readings WHERE metric_id = 54"


def story(messages: int) -> list[tuple[str, bytes]]:
    """A birth and data by its alias, at the time of arrival."""
    birth = payload(bdseq(1), degrees(0.5, alias=7), seq=0, time=None)
    return [
        (NODE.format("NBIRTH"), birth),
        *(
            (NODE.format("NDATA"), payload({"alias": 7, "float": n}, seq=n % 256, time=None))
            for n in range(1, messages)
        ),
    ]


async def kept(pool: Pool) -> Memory:
    async with pool.connection() as conn:
        return await announced(conn)


async def test_a_batch_that_is_halved_leaves_what_no_poison_would_have_left(
    own_broker: Server, pool: Pool
) -> None:
    async with pool.connection() as conn:
        await conn.execute(REFUSE_66)
    told = story(20)
    poisoned = [*told[:5], *readings(7), *told[5:]]
    async with running(own_broker, pool) as run:
        await publish(own_broker, poisoned)
        await run.until(27)
        assert run.counts == Counts(messages=27, stored=26, duplicate=0, rejected=1)
    assert await number(pool, TEMPERATURES) == 20
    messages = [on_topic(*one, arrival=NOW) for one in told]
    memory = NOTHING.after(decode(messages, inventory(), LIMITS).changes)
    assert await kept(pool) == memory


async def test_a_crash_before_the_acknowledgement_breaks_no_sequence(
    own_broker: Server, pool: Pool
) -> None:
    async with source_of(own_broker, Crashing) as source:
        run = Run(source, pool)
        await source.wait_connected()
        await publish(own_broker, story(30))
        with pytest.raises(KilledError):
            await run.task
    stored = await number(pool, TEMPERATURES)
    assert stored > 0
    async with pool.connection() as conn:
        assert len(await undated(conn, 0)) == stored
        memory = await announced(conn)
    async with running(own_broker, pool, memory) as again:
        await again.until(30)
        assert again.counts == Counts(30, stored=30 - stored, duplicate=stored, rejected=0)
    assert await number(pool, TEMPERATURES) == 30
    assert await number(pool, "SELECT count(*) FROM rejected_messages") == 0


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_what_announced_itself_before_we_were_there_is_heard(
    version: Version, own_broker: Server, pool: Pool
) -> None:
    with Publisher(own_broker.url) as publisher:
        told = [(CONFIG, DOOR), (STATE, b"ON"), ("gw/v1/c1/w1/status", b"online")]
        await asyncio.to_thread(publisher.publish, told, retain=True)
    async with source_of(own_broker, version=version) as source:
        run = Run(source, pool)
        await run.until(1)
        await publish(own_broker, [(STATE, b"OFF")])
        await run.until(2)
        assert run.counts == Counts(messages=2, stored=2, duplicate=0, rejected=0)
        source.stop()
        await run.task
    assert await number(pool, "SELECT count(*) FROM readings WHERE value = 0") == 1
    assert len((await kept(pool)).entries) == 1


async def test_what_is_withdrawn_is_no_longer_kept(connection: AsyncConnection[Any]) -> None:
    memory = NOTHING
    for content in (DOOR, DOOR.replace(b"door", b"window"), b""):
        decoded = decode([on_topic(CONFIG, content)], inventory(), LIMITS, memory)
        for _ in range(2):  # as where the answer to the first commit was lost
            await store(connection, decoded, shard=0, now=NOW, heard_until=NOW)
        memory = memory.after(decoded.changes)
        assert await announced(connection) == memory
    assert memory == NOTHING
