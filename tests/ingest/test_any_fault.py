"""Any interleaving of messages, repeats, lost connections and answers, crashes of the collector.

The tables and the ledger are then those of one quiet run. All of ours is real but for the socket:
`Source`, `Receipts`, `Collector`, `store`, the database. The broker is a model of one session: it
keeps what is not acknowledged, and sends it again, in order, on the next connection.

More examples than the tests take: GRIDWARDEN_EXAMPLES=5000.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal, cast

import orjson
import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import AsyncConnection, OperationalError
from psycopg_pool import AsyncConnectionPool

from devices.instant import SECOND, Micros, to_datetime, to_micros
from ingest import ledger
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy
from ingest.fate import Counts
from ingest.message import RawMessage
from ingest.run import Collector
from ingest.source import Source
from ingest.store import CommittedBatch, read_back, undated
from tests.ingest.model_broker import Broker, Link, Message
from tests.ingest.site import NOW, ms
from tests.ingest.test_run import INVENTORY, LIMITS, KilledError, Pool

EXAMPLES = int(os.environ.get("GRIDWARDEN_EXAMPLES", "40"))
REMEMBERED = 12
"""In place of 40 000: with what is in flight fewer than the model has packet ids."""

BATCH = 4
SPAN = 1 * SECOND
"""Each run has a second of its own; what has no time arrives in the second half of it."""

_runs = count()

Where = Literal["before commit", "after commit", "at acknowledgement"]
What = Literal["crash", "cut", "error"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens at which passage of the collector by which place. after: acknowledgements that
    still arrive, at a cut or a crash at acknowledgement."""

    where: Where
    what: What
    passage: int = 0
    after: int = 0


@dataclass(frozen=True, slots=True)
class Push:
    """The broker takes these in, and sends at most so many on."""

    published: Sequence[Callable[[Micros], Message]]
    sends: int
    faults: Sequence[Fault]


class Ticking:
    """A clock that shows another microsecond each time."""

    def __init__(self, start: Micros) -> None:
        self._now = start

    def now(self) -> Micros:
        self._now += 1
        return self._now


@dataclass(slots=True)
class Chaos:
    """Which faults strike when."""

    faults: list[Fault] = field(default_factory=list)
    passages: dict[Where, int] = field(default_factory=dict)
    link: Link | None = None
    in_hand: Callable[[], int] = lambda: 0
    committed: int = 0
    """Messages that were committed by a collector that died before it acknowledged them."""
    in_doubt: int = 0
    """Messages that are committed and not acknowledged yet."""

    def arm(self, faults: Sequence[Fault]) -> None:
        """These are to come; passages count from now on."""
        self.faults, self.passages = list(faults), {}

    def pass_by(self, where: Where) -> Fault | None:
        """The fault that strikes here now; cuts are done."""
        passage = self.passages.get(where, 0)
        self.passages[where] = passage + 1
        struck = next((f for f in self.faults if (f.where, f.passage) == (where, passage)), None)
        if struck is not None and struck.what == "cut" and self.link is not None:
            if where == "at acknowledgement":
                self.link.passes = struck.after
            else:
                self.link.connect()
        return struck

    def at_database(self, where: Where) -> None:
        """As `pass_by`; raises what a crash or a lost connection to the database does."""
        struck = self.pass_by(where)
        if where == "after commit":
            self.in_doubt = self.in_hand()
        if struck is not None and struck.what == "crash":
            self.committed += self.in_doubt
            self.in_doubt = 0
            raise KilledError(where)
        if struck is not None and struck.what == "error":
            raise OperationalError(where)


class Dying(Source):
    """A source whose process may die at the moment of acknowledgement."""

    chaos: Chaos

    def acknowledge(self, messages: Sequence[RawMessage]) -> None:
        struck = self.chaos.pass_by("at acknowledgement")
        self.chaos.in_doubt = 0
        if struck is not None and struck.what == "crash":
            # So many of them are still sent.
            super().acknowledge(messages[: struck.after])
            self.chaos.committed += len(messages)
            raise KilledError("at acknowledgement")
        super().acknowledge(messages)


class FaultyPool:
    """The pool, with what can happen around a COMMIT."""

    def __init__(self, pool: Pool, chaos: Chaos) -> None:
        self._pool = pool
        self._chaos = chaos

    def connection(
        self, _at_most_s: float
    ) -> AbstractAsyncContextManager[AsyncConnection[Any], bool | None]:
        """A transaction: as psycopg's, but it may fail, or its answer get lost."""
        return self._connection()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection[Any]]:
        async with self._pool.connection() as conn:
            yield conn
            self._chaos.at_database("before commit")
        self._chaos.at_database("after commit")


@dataclass(slots=True)
class World:
    """One run: a broker, a collector that is started again whenever it died, a shard."""

    pool: Pool
    shard: int
    clock: Ticking
    broker: Broker = field(default_factory=Broker)
    chaos: Chaos = field(default_factory=Chaos)
    committed: int = 0
    """Messages that the collectors know to be committed."""
    _life: asyncio.Task[None] | None = None
    _source: Dying | None = None
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    async def push(self, push: Push, start: Micros) -> None:
        """Let this happen, and what follows from it."""
        self.broker.queue += [make(start) for make in push.published]
        self.chaos.arm(push.faults)
        link = await self._alive()
        link.send(push.sends)
        await self._settle()

    async def drain(self) -> None:
        """Everything arrives, nothing fails any more."""
        self.chaos.arm([])
        while self.broker.queue or self.broker.sent:
            link = await self._alive()
            link.connect()
            link.send(len(self.broker.queue))
            await self._settle()

    async def end(self) -> None:
        """The collector stops in order."""
        if self._source is not None and self._life is not None:
            self._source.stop()
            await self._life
            await self._source.__aexit__()
        self._life = self._source = None

    async def _alive(self) -> Link:
        """The link of the collector, which is started if there is none."""
        if self._life is None or self._source is None:
            async with self.pool.connection() as conn:
                stored = await undated(conn, self.shard)
            source = Dying(
                url="mqtt://model",
                client_id="model",
                policy=BatchPolicy(messages=BATCH, age=0),
                clock=self.clock,
                stored=stored,
            )
            source.chaos = self.chaos
            self.chaos.in_hand = lambda: len(source._in_hand)
            await source.__aenter__()
            link = cast("Link", source._network)
            link.broker, self.chaos.link = self.broker, link
            self._source, self._life = source, asyncio.create_task(self._collect(source))
            self._life.add_done_callback(lambda _: self._moved.set())
            link.connect()
        return cast("Link", self._source._network)

    async def _collect(self, source: Dying) -> None:
        async def hand_over(batch: CommittedBatch) -> None:
            self.committed += batch.counts.messages
            self._moved.set()

        collector = Collector(
            source=source,
            pool=cast("Pool", FaultyPool(self.pool, self.chaos)),
            inventory=lambda: INVENTORY,
            clock=self.clock,
            hand_over=hand_over,
            limits=LIMITS,
            shard=self.shard,
            backoff=Backoff(first=0.0, longest=0.0),
        )
        await collector.run()

    async def _settle(self) -> None:
        """Return when the collector waits for more, or has died and was buried."""
        assert self._source is not None
        assert self._life is not None
        while not self._life.done():
            self._moved.clear()
            await asyncio.sleep(0)  # what was sent is delivered in the loop's next turn
            await asyncio.sleep(0)
            if self._source.in_flight == 0:
                return
            await self._moved.wait()
        with pytest.raises(KilledError):
            await self._life
        await self._source.__aexit__()
        self.chaos.link = self._life = self._source = None


def dated(device: str, offset: int, value: int) -> Callable[[Micros], Message]:
    """A reading and an event with a time of their own, `offset` ms after the run's begin."""

    def message(start: Micros) -> Message:
        values = {"pulse": value, "sos": value % 2}
        return f"gw/v1/c1/{device}/up", orjson.dumps({"ts": ms(start) + offset, "values": values})

    return message


def dateless(device: str, value: int) -> Callable[[Micros], Message]:
    """A reading that is known by its arrival."""
    return lambda _start: (f"gw/v1/c1/{device}/up", orjson.dumps({"values": {"spo2": value}}))


def refused(_start: Micros) -> Message:
    """No reading at all."""
    return "gw/v1/c1/w1/up", b"?"


DEVICES = st.sampled_from(["w1", "w2"])
MESSAGES = st.one_of(
    st.builds(dated, DEVICES, st.integers(0, 3), st.integers(60, 63)),
    st.builds(dateless, DEVICES, st.integers(60, 99)),
    st.just(refused),
)
FAULTS = st.builds(
    Fault,
    st.sampled_from(["before commit", "after commit", "at acknowledgement"]),
    st.sampled_from(["crash", "cut", "error"]),
    st.integers(0, 2),
    st.integers(0, 5),
)
PUSHES = st.builds(
    Push,
    st.lists(MESSAGES, max_size=8),
    st.integers(0, 10),
    st.lists(FAULTS, max_size=3),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run left: rows with their times as of its begin (None: their arrival), and fates."""

    readings: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    rejected: int
    stored: int


async def run(pool: Pool, pushes: Sequence[Push]) -> Outcome:
    """What these leave; the books are looked at on the way."""
    number = next(_runs)
    start = NOW + number * SPAN
    world = World(pool, number, Ticking(start + SPAN // 2))
    async with pool.connection() as conn:
        before = await ledger.totals(conn)
    for push in pushes:
        await world.push(push, start)
    await world.drain()
    await world.end()
    async with pool.connection() as conn:
        after = await ledger.totals(conn)
        batches = await read_back(conn, number, after=0, limit=10_000)
        own = {"first": to_datetime(start), "last": to_datetime(start + SPAN), "shard": number}
        readings, events, rejected = [
            await (await conn.execute(query, own)).fetchall()
            for query in (_READINGS, _EVENTS, _REJECTED)
        ]
    gained = Counts(
        after.messages - before.messages,
        after.stored - before.stored,
        after.duplicate - before.duplicate,
        after.rejected - before.rejected,
    )
    assert gained == ledger.total(batch.counts for batch in batches)
    assert gained.messages == gained.stored + gained.duplicate + gained.rejected
    assert gained.messages == world.committed + world.chaos.committed, "each was written once"
    assert [b.prev_seq for b in batches] == [0, *(b.seq for b in batches[:-1])][: len(batches)]
    assert sum(len(b.readings) for b in batches) == len(readings) + len(events)
    return Outcome(
        sorted(_since(start, row) for row in readings),
        sorted(_since(start, row) for row in events),
        len(rejected),
        gained.stored,
    )


_READINGS = """SELECT time, device_id, metric_id, value FROM readings
    WHERE time >= %(first)s AND time < %(last)s"""
_EVENTS = """SELECT time, device_id, metric_id, value FROM events
    WHERE time >= %(first)s AND time < %(last)s"""
_REJECTED = "SELECT FROM rejected_messages r JOIN batches b USING (seq) WHERE b.shard = %(shard)s"


def _since(start: Micros, row: tuple[Any, ...]) -> tuple[Any, ...]:
    after = to_micros(row[0]) - start
    return (after if after < SPAN // 2 else -1, *row[1:])


@pytest.fixture(autouse=True)
def model_link(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sources get the model in place of the network, and few packet ids."""
    monkeypatch.setattr("ingest.source.Network", Link)
    for module in ("receipts", "store"):
        monkeypatch.setattr(f"ingest.{module}.REMEMBERED", REMEMBERED)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@example([Push([dateless("w2", 60)] * (BATCH + 1), 9, [Fault("after commit", "crash")])])
@given(st.lists(PUSHES, max_size=6))
async def test_any_faults_leave_what_one_quiet_run_leaves(
    pool: AsyncConnectionPool[psycopg.AsyncConnection[Any]], pushes: list[Push]
) -> None:
    faulty = await run(pool, pushes)
    accepted = [make for push in pushes for make in push.published]
    quiet = await run(pool, [Push(accepted, len(accepted), [])])
    assert faulty.readings == quiet.readings
    assert faulty.events == quiet.events
    assert faulty.stored == quiet.stored
    assert faulty.rejected >= quiet.rejected
