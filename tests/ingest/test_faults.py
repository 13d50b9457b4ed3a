"""The fault matrix: the connection to broker or database fails at each step of a batch.

Whatever the broker acknowledged to the publisher is then stored, once; the ledger balances, and
neither we nor the broker hold a message of which the fate is open.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from threading import Event
from typing import cast

import orjson
import psycopg
import pytest
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from psycopg_pool import AsyncConnectionPool

from devices.connection import PunctualConnection
from gridwarden.clock import WallClock
from ingest import ledger, session
from ingest.address import parse_address
from ingest.batch import BatchPolicy
from ingest.fate import Counts
from ingest.run import Collector
from ingest.session import Version
from ingest.source import Source
from ingest.store import CommittedBatch, undated
from tests.ingest.proxy import Fault, Proxy, Step
from tests.ingest.publisher import Publisher
from tests.ingest.site import NOW, ms
from tests.ingest.test_run import INVENTORY, LIMITS, QUICK, Pool, balances
from tests.ingest.test_source import see_off
from tests.services.databases import Databases
from tests.services.server import Provider, Server
from tests.waiting import until

MESSAGES = 60
BATCH = 30

PUBACK = b"\x40\x02"
STEPS = {
    "before receipt": ("broker", Step("down", b"gw/v1/")),
    "during receipt": ("broker", Step("down", b"gw/v1/", after=1_000)),
    "before the COPY": ("database", Step("up", b"COPY staged_readings")),
    # The statement is 47 bytes, and what is copied begins with 19; a row has 60.
    "during the COPY": ("database", Step("up", b"COPY staged_readings", after=85)),
    "before the COMMIT": ("database", Step("up", b"COMMIT")),
    "before its answer": ("database", Step("down", b"COMMIT\0")),
    "before the PUBACKs": ("broker", Step("up", PUBACK)),
    "during the PUBACKs": ("broker", Step("up", PUBACK, after=4 * 10 + 1)),
}


class Impatient(PunctualConnection):
    """Waits for an answer as long as a test can."""

    patience_s = 0.3


@dataclass(frozen=True, slots=True)
class Servers:
    """Of this module's own; each test has its own session."""

    broker: Server
    database_url: str


@pytest.fixture(scope="module")
def servers(services: Callable[[], Provider], databases: Databases) -> Iterator[Servers]:
    broker = services().mosquitto()
    name, url = databases.create()
    yield Servers(broker, url)
    databases.drop(name)
    broker.remove()


_cases = count()


@pytest.fixture
def case() -> int:
    """A number that no other test has: readings and sessions are told apart by it."""
    return next(_cases)


def named(case: int) -> str:
    """The client id of a test's session; its shard is the number itself."""
    return f"matrix-{case}"


def readings(case: int) -> list[tuple[str, bytes]]:
    """Messages of one value each, all different; every third without a time of its own."""
    first = ms(NOW) + case * 1_000

    def payload(n: int) -> bytes:
        dated = {} if n % 3 == 0 else {"ts": first + n}
        return orjson.dumps({**dated, "values": {"pulse": 60 + n}})

    return [(f"gw/v1/c1/w{n % 2 + 1}/up", payload(n)) for n in range(MESSAGES)]


LAST = [("gw/v1/c1/w1/up", b'{"values": {"spo2": 97}}')]
"""Comes after all that the broker sends again: a queue keeps its order."""


@dataclass(slots=True)
class Rig:
    """A collector that reaches its broker and its database through proxies."""

    servers: Servers
    proxies: dict[str, Proxy]
    source: Source
    before: Counts
    rows: int

    async def publish(self, messages: list[tuple[str, bytes]]) -> None:
        """Return when the broker has acknowledged them all."""
        with Publisher(self.servers.broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, messages)

    async def look(self) -> tuple[Counts, int]:
        """What the ledger and the readings have gained, asked beside the proxy."""
        counts, rows = await _look(self.servers.database_url)
        gained = (
            counts.messages - self.before.messages,
            counts.stored - self.before.stored,
            counts.duplicate - self.before.duplicate,
            counts.rejected - self.before.rejected,
        )
        return Counts(*gained), rows - self.rows

    async def done(self, messages: int) -> None:
        """Wait until so many messages are stored and none is in flight."""

        async def reached() -> bool:
            counts, _ = await self.look()
            return counts.stored >= messages and self.source.in_flight == 0

        await until(reached, what=f"{messages} messages stored and none in flight", at_most_s=8)


async def _look(url: str) -> tuple[Counts, int]:
    async with await psycopg.AsyncConnection.connect(url) as conn:
        rows = await (await conn.execute("SELECT count(*) FROM readings")).fetchone()
        assert rows is not None
        return await ledger.totals(conn), int(rows[0])


@asynccontextmanager
async def rig(servers: Servers, case: int, version: Version) -> AsyncIterator[Rig]:
    parts = psycopg.conninfo.conninfo_to_dict(servers.database_url)
    before, rows = await _look(servers.database_url)
    async with (
        Proxy(servers.broker.port) as broker,
        Proxy(int(str(parts.get("port", 5432)))) as database,
        AsyncConnectionPool(
            psycopg.conninfo.make_conninfo(
                servers.database_url, host="127.0.0.1", port=database.port
            ),
            connection_class=Impatient,
            min_size=1,
            max_size=2,
            open=False,
            check=Impatient.check,
            configure=Impatient.limit,
        ) as pool,
    ):
        async with pool.connection() as conn:
            stored = await undated(conn, case)
        async with Source(
            url=f"mqtt://127.0.0.1:{broker.port}",
            client_id=named(case),
            policy=BatchPolicy(messages=BATCH, age=0.05),
            clock=WallClock(),
            version=version,
            receive_window=1_000,
            stored=stored,
            backoff=QUICK,
        ) as source:
            collecting = asyncio.create_task(_collect(source, pool, case))
            await source.wait_connected()
            proxies = {"broker": broker, "database": database}
            yield Rig(servers, proxies, source, before, rows)
            source.stop()
            await collecting


async def _collect(source: Source, pool: AsyncConnectionPool[Impatient], shard: int) -> None:
    async def hand_over(_batch: CommittedBatch) -> None:
        pass

    await Collector(
        source=source,
        pool=cast("Pool", pool),
        inventory=lambda: INVENTORY,
        clock=WallClock(),
        hand_over=hand_over,
        limits=LIMITS,
        shard=shard,
        backoff=QUICK,
    ).run()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A silent broker is left after 0.4 s; on the wire the interval is a whole second."""
    connect = session._connect

    def connect_impatiently(client: Client, options: session.SessionOptions) -> None:
        connect(client, replace(options, keepalive=1))
        client._keepalive = 0.2  # type: ignore[assignment]

    monkeypatch.setattr(session, "_connect", connect_impatiently)


@dataclass(frozen=True, slots=True)
class Trial:
    """Which link fails how, at which step of a batch."""

    step: str
    link: str
    fault: Fault
    version: Version

    def __str__(self) -> str:
        return f"{self.link} {self.fault} {self.step}, MQTT {self.version}"


VERSIONS: tuple[Version, ...] = ("5", "3.1.1")
CUTS: dict[Version, Fault] = {"5": "reset", "3.1.1": "close"}
TRIALS = [
    Trial(step, link, fault, version)
    for step in STEPS
    for link in ("broker", "database")
    for version in VERSIONS
    for fault in (CUTS[version], "stall", "slow")
]


async def has_struck(proxy: Proxy, trial: Trial) -> None:
    """Wait until the fault has come to its step."""

    async def reached() -> bool:
        return bool(proxy.struck)

    await until(reached, what=f"struck: {trial}", at_most_s=8)


async def felt(proxy: Proxy, trial: Trial) -> None:
    """Wait until the fault has done harm that the collector noticed."""

    async def reached() -> bool:
        if not proxy.struck:
            return False
        if trial.fault == "stall":
            return proxy.abandoned > 0
        if trial.fault == "slow":
            return proxy.slowed > 0
        return proxy.refused > 0 or trial.link == "database"

    await until(reached, what=f"felt: {trial}", at_most_s=8)


def left_at_broker(servers: Servers, case: int, version: Version) -> list[bytes]:
    """What the broker still holds for a session, and a last message that marks the end of it."""
    got: list[bytes] = []
    end = Event()

    def on_message(_client: Client, _data: object, message: MQTTMessage) -> None:
        got.append(bytes(message.payload))
        if message.payload == b"end":
            end.set()

    client = _client(servers, case, version, forget=False)
    client.on_message = on_message
    with Publisher(servers.broker.url) as publisher:
        publisher.publish([("gw/v1/c1/w1/up", b"end")])
    assert end.wait(20)
    for each in (client, _client(servers, case, version, forget=True)):
        each.disconnect()
        each.loop_stop()
    return got


def _client(servers: Servers, case: int, version: Version, *, forget: bool) -> Client:
    """A client that takes over a test's session, or begins it anew, which ends the old one."""
    address = parse_address(servers.broker.url)
    if version == "5":
        client = Client(
            CallbackAPIVersion.VERSION2, named(case), protocol=MQTTProtocolVersion.MQTTv5
        )
        client.connect(address.host, address.port, clean_start=forget)
    else:
        client = Client(CallbackAPIVersion.VERSION2, named(case), clean_session=forget)
        client.connect(address.host, address.port)
    client.loop_start()
    return client


@pytest.mark.parametrize("trial", TRIALS, ids=str)
async def test_a_fault_at_any_step_loses_nothing_and_repeats_nothing(
    servers: Servers, case: int, trial: Trial, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    async with rig(servers, case, trial.version) as it:
        where, at = STEPS[trial.step]
        struck = it.proxies[trial.link]

        def strike() -> None:
            struck.strike(trial.fault)
            if trial.link == "database" and trial.fault in CUTS.values():
                # At once: the pool would wait a second before it calls again.
                asyncio.get_running_loop().call_soon(struck.heal)

        it.proxies[where].at(at, strike)
        await it.publish(readings(case))
        # Not before: a batch that took it along with the rest would leave nobody to feel the fault.
        await has_struck(struck, trial)
        await it.publish(LAST)
        await felt(struck, trial)
        struck.heal()
        await it.publish(LAST)
        await it.done(MESSAGES + 2)
        counts, rows = await it.look()
        assert struck.struck == [trial.fault]
        assert (counts.stored, counts.rejected, rows) == (MESSAGES + 2, 0, MESSAGES + 2)
        assert ledger.balance(counts, received=it.source.received) == 0
    (told,) = balances(caplog)
    assert (told["unaccounted"], told["in_flight"]) == (0, 0)
    await asyncio.to_thread(see_off, servers.broker.url)
    assert await asyncio.to_thread(left_at_broker, servers, case, trial.version) == [b"end"]


@pytest.mark.parametrize("step", ["during the COPY", "before the COMMIT", "before its answer"])
async def test_a_database_that_never_learns_of_a_lost_connection_lets_the_next_one_write(
    servers: Servers, case: int, step: str
) -> None:
    """Else its open transaction would keep the shard's lock for hours.

    Half open: no end, no reset, and TCP's own keepalive is answered, as by a middlebox.
    """
    async with rig(servers, case, "5") as it:
        database = it.proxies["database"]
        database.at(STEPS[step][1], database.lose)
        await it.publish(readings(case))
        await it.done(MESSAGES)
        counts, rows = await it.look()
        assert database.abandoned >= 1
        assert database.held > 0
        assert (counts.stored, counts.rejected, rows) == (MESSAGES, 0, MESSAGES)
        assert ledger.balance(counts, received=it.source.received) == 0
