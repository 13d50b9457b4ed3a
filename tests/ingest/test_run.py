"""From the broker into the database, with everything in between cut at the worst moments."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices import formats
from devices.formats import native
from devices.formats.memory import NOTHING, Memory
from devices.instant import DAY
from devices.reading import Observation
from devices.topic import UpTopic
from gridwarden.clock import WallClock
from ingest import ledger
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy
from ingest.decode import Limits
from ingest.fate import Counts
from ingest.message import RawMessage
from ingest.receipts import Earlier
from ingest.run import Collector
from ingest.session import Version
from ingest.source import Source
from ingest.store import CommittedBatch, undated
from tests.conftest import OwnPostgres
from tests.ingest.publisher import Publisher
from tests.ingest.site import NOW, inventory, ms
from tests.services.server import Server
from tests.waiting import until

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

INVENTORY = inventory()
LIMITS = Limits(earliest=NOW - 10_000 * DAY, max_ahead=10_000 * DAY)
QUICK = Backoff(first=0.01, longest=0.05)


class Crashing(Source):
    """Fails at the moment of acknowledgement, as a killed process would."""

    def acknowledge(self, messages: Sequence[RawMessage]) -> None:
        raise KilledError(f"{len(messages)} messages are committed and not acknowledged")


class KilledError(Exception):
    """The process is gone."""


def source_of(
    broker: Server,
    kind: type[Source] = Source,
    stored: Mapping[int, Earlier] | None = None,
    version: Version = "5",
) -> Source:
    return kind(
        version=version,
        stored=stored or {},
        url=broker.url,
        client_id="gridwarden-ingest",
        policy=BatchPolicy(messages=100, age=0.01),
        clock=WallClock(),
        receive_window=1_000,
        backoff=QUICK,
    )


class Run:
    """A collector at work, and what it has handed over."""

    def __init__(self, source: Source, pool: Pool, memory: Memory = NOTHING) -> None:
        self.source = source
        self.batches: list[CommittedBatch] = []
        self._changed = asyncio.Condition()
        self._collector = Collector(
            source=source,
            pool=pool,
            inventory=lambda: INVENTORY,
            clock=WallClock(),
            hand_over=self._keep,
            limits=LIMITS,
            memory=memory,
            backoff=QUICK,
        )
        self.task = asyncio.create_task(self._collector.run())

    async def _keep(self, batch: CommittedBatch) -> None:
        async with self._changed:
            self.batches.append(batch)
            self._changed.notify_all()

    @property
    def counts(self) -> Counts:
        return ledger.total(batch.counts for batch in self.batches)

    async def until_failed(self, tries: int) -> None:
        """Wait until the database has failed so many tries in a row."""

        async def failed() -> bool:
            return self._collector.failures >= tries

        await until(failed, what=f"{tries} tries failed")

    async def until_received(self, messages: int) -> None:
        """Wait until so many messages have come from the broker."""

        async def received() -> bool:
            return self.source.received >= messages

        await until(received, what=f"{messages} messages received")

    async def until(self, messages: int) -> None:
        """Wait for this many messages to have been handed over."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.counts.messages >= messages)

    async def until_stored(self, messages: int) -> None:
        """Wait for this many messages to have been stored, and for none to be in flight."""

        async def settled() -> bool:
            return self.counts.stored >= messages and self.source.in_flight == 0

        await until(settled, what=f"{messages} messages stored and none in flight")


@asynccontextmanager
async def running(broker: Server, pool: Pool, memory: Memory = NOTHING) -> AsyncIterator[Run]:
    async with pool.connection() as conn:
        stored = await undated(conn, 0)
    async with source_of(broker, stored=stored) as source:
        run = Run(source, pool, memory)
        await source.wait_connected()
        yield run
        source.stop()
        await run.task


async def publish(broker: Server, messages: Sequence[tuple[str, bytes]]) -> None:
    with Publisher(broker.url) as publisher:
        await asyncio.to_thread(publisher.publish, messages)


def readings(count: int, *, first: int = 0) -> list[tuple[str, bytes]]:
    """Messages of two values each, every one of another millisecond."""
    return [
        (
            f"gw/v1/c1/w{n % 2 + 1}/up",
            orjson.dumps({"ts": ms(NOW) + n, "values": {"spo2": 60 + n % 40, "pulse": 70}}),
        )
        for n in range(first, first + count)
    ]


async def number(pool: Pool, query: str) -> int:
    async with pool.connection() as conn:
        row = await (await conn.execute(query.encode())).fetchone()
    assert row is not None
    return int(row[0])


async def totals(pool: Pool) -> Counts:
    async with pool.connection() as conn:
        return await ledger.totals(conn)


STORED = "SELECT count(*) FROM readings"
TERMINATE = (
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


BALANCE = ("received", "stored", "duplicate", "rejected", "in_flight", "unaccounted")


def balances(caplog: pytest.LogCaptureFixture) -> list[dict[str, int]]:
    """What each run that ended said of its messages."""
    told = [vars(r) for r in caplog.records if getattr(r, "action", "") == "ledger.balance"]
    return [{name: fields[name] for name in BALANCE} for fields in told]


async def test_what_is_published_is_stored_and_acknowledged(
    own_broker: Server, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    async with running(own_broker, pool) as run:
        await publish(own_broker, [*readings(500), ("gw/v1/c1/w1/up", b"?"), *readings(5)])
        await run.until(506)
        assert run.counts == Counts(messages=506, stored=500, duplicate=5, rejected=1)
        assert sum(len(batch.readings) for batch in run.batches) == 1_000
        assert [b.prev_seq for b in run.batches[1:]] == [b.seq for b in run.batches[:-1]]
    assert run.source.in_flight == 0
    assert ledger.balance(await totals(pool), received=run.source.received) == 0
    assert balances(caplog) == [
        {
            "received": 506,
            "stored": 500,
            "duplicate": 5,
            "rejected": 1,
            "in_flight": 0,
            "unaccounted": 0,
        }
    ]
    assert await number(pool, STORED) == 1_000
    async with running(own_broker, pool) as later:
        await publish(own_broker, readings(1, first=900))
        await later.until(1)
        assert later.counts == Counts(messages=1, stored=1, duplicate=0, rejected=0)


async def test_a_crash_between_commit_and_acknowledgement_repeats_and_loses_nothing(
    own_broker: Server, pool: Pool
) -> None:
    async with source_of(own_broker, Crashing) as source:
        run = Run(source, pool)
        await source.wait_connected()
        await publish(own_broker, readings(50))
        with pytest.raises(KilledError):
            await run.task
    committed = await totals(pool)
    assert committed.stored == committed.messages > 0
    async with running(own_broker, pool) as again:
        await again.until(50)
        assert again.counts.duplicate == committed.messages
        assert again.counts.stored == 50 - committed.messages
    assert await number(pool, STORED) == 100


async def test_what_has_no_time_is_known_again_after_a_crash(
    own_broker: Server, pool: Pool
) -> None:
    payload = orjson.dumps({"values": {"spo2": 97}, "attributes": {"fw": "1.2"}})
    async with source_of(own_broker, Crashing) as source:
        run = Run(source, pool)
        await source.wait_connected()
        await publish(own_broker, [(f"gw/v1/c1/w{n % 2 + 1}/up", payload) for n in range(50)])
        with pytest.raises(KilledError):
            await run.task
    committed = await totals(pool)
    assert committed.stored == committed.messages > 0
    async with running(own_broker, pool) as again:
        await again.until(50)
        assert again.counts.duplicate == committed.messages
    assert await number(pool, STORED) == 50
    assert await number(pool, "SELECT count(*) FROM events") == 50


async def test_backends_that_are_terminated_cost_nothing(
    own_broker: Server, pool: Pool, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    async with running(own_broker, pool) as run:
        for part in range(5):
            await publish(own_broker, readings(100, first=100 * part))
            async with await psycopg.AsyncConnection.connect(database_url) as admin:
                await admin.execute(TERMINATE)
        await run.until(500)
    await pool.check()
    assert ledger.balance(await totals(pool), received=run.source.received) == 0
    assert await number(pool, STORED) == 1_000
    actions = [getattr(record, "action", "") for record in caplog.records]
    assert actions.count("ingest.database_away") == actions.count("ingest.database_back") > 0


async def test_a_killed_database_is_waited_for_and_loses_nothing(
    own_broker: Server, own_postgres: OwnPostgres
) -> None:
    pool: Pool = AsyncConnectionPool(own_postgres.url, min_size=1, max_size=2, open=False)
    async with pool, running(own_broker, pool) as run:
        await publish(own_broker, readings(300))
        await run.until(1)
        await asyncio.to_thread(own_postgres.kill)
        await publish(own_broker, readings(2_000, first=300))
        assert run.source.in_flight <= 1_000
        await asyncio.to_thread(own_postgres.start)
        await run.until(2_300)
        await pool.check()
        assert await number(pool, STORED) == 4_600
        assert ledger.balance(await totals(pool), received=run.source.received) == 0
        assert run.source.connections == 1


REFUSE_66 = """
CREATE FUNCTION refuse_66() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.value = 66 THEN RAISE EXCEPTION 'no 66 here' USING ERRCODE = '22023'; END IF;
    RETURN new;
END $$;
CREATE TRIGGER refuse_66 BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION refuse_66();
"""


async def test_a_message_that_the_database_refuses_does_not_stop_the_others(
    own_broker: Server, pool: Pool
) -> None:
    async with pool.connection() as conn:
        await conn.execute(REFUSE_66)
    async with running(own_broker, pool) as run:
        await publish(own_broker, readings(90))
        await run.until(90)
        assert run.counts == Counts(messages=90, stored=87, duplicate=0, rejected=3)
        heard = [batch.heard_until for batch in run.batches]
        assert heard == sorted(heard)
    async with pool.connection() as conn:
        assert await ledger.rejected_by_reason(conn) == {"unstorable": 3}
        assert (await ledger.by_device(conn))[1].rejected == 3
    assert await number(pool, STORED) == 174
    assert run.source.in_flight == 0


async def test_a_message_on_which_decoding_breaks_does_not_stop_the_others(
    own_broker: Server, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_on_it(topic: UpTopic, payload: bytes) -> list[Observation]:
        if payload == b"break":
            raise KeyError(payload)
        return native.decode(topic, payload)

    monkeypatch.setattr(formats, "BY_NAME", {"native": break_on_it})
    async with running(own_broker, pool) as run:
        messages = readings(20)
        messages.insert(7, ("gw/v1/c1/w1/up", b"break"))
        await publish(own_broker, messages)
        await run.until(21)
        assert run.counts == Counts(messages=21, stored=20, duplicate=0, rejected=1)
    async with pool.connection() as conn:
        assert await ledger.rejected_by_reason(conn) == {"unstorable": 1}
    assert run.source.in_flight == 0


@pytest.mark.parametrize("poison", [range(1), range(29, 30), range(10, 25), range(30)])
async def test_any_number_of_poison_messages_leaves_the_others_in_their_order(
    own_broker: Server, pool: Pool, monkeypatch: pytest.MonkeyPatch, poison: range
) -> None:
    def break_on_it(topic: UpTopic, payload: bytes) -> list[Observation]:
        if payload.startswith(b"break"):
            raise RecursionError(payload)
        return native.decode(topic, payload)

    monkeypatch.setattr(formats, "BY_NAME", {"native": break_on_it})
    messages = readings(30)
    for place in poison:
        messages[place] = ("gw/v1/c1/w1/up", b"break %d" % place)
    async with running(own_broker, pool) as run:
        await publish(own_broker, messages)
        await run.until(30)
        good = 30 - len(poison)
        assert run.counts == Counts(messages=30, stored=good, duplicate=0, rejected=len(poison))
        times = [r.time for batch in run.batches for r in batch.readings.rows()]
        assert times == sorted(times)
        assert len(times) == 2 * good
        assert [b.prev_seq for b in run.batches[1:]] == [b.seq for b in run.batches[:-1]]
    assert run.source.in_flight == 0
    async with pool.connection() as conn:
        cursor = await conn.execute("SELECT payload FROM rejected_messages ORDER BY id")
        kept = [payload for (payload,) in await cursor.fetchall()]
    assert kept == [b"break %d" % place for place in poison]


OUT_OF_LOCKS = """
CREATE SEQUENCE tries;
CREATE FUNCTION run_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF new.value = 66 OR nextval('tries') <= 3 THEN
        RAISE EXCEPTION 'out of shared memory' USING ERRCODE = '53200';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER run_out BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION run_out();
"""


async def test_only_a_message_of_too_many_days_is_refused_where_locks_run_out(
    own_broker: Server, pool: Pool
) -> None:
    """Each day is a table, and a transaction locks all that it touches."""
    async with pool.connection() as conn:
        await conn.execute(OUT_OF_LOCKS)
    days = [{"ts": ms(NOW - n * DAY), "values": {"pulse": 66}} for n in range(101)]
    async with running(own_broker, pool) as run:
        await publish(own_broker, readings(5))
        await run.until(5)
        await publish(own_broker, [("gw/v1/c1/w1/up", orjson.dumps(days)), *readings(5, first=7)])
        await run.until(11)
        assert run.counts == Counts(messages=11, stored=10, duplicate=0, rejected=1)
    async with pool.connection() as conn:
        assert await ledger.rejected_by_reason(conn) == {"unstorable": 1}


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[dict[str, Any]]:
    return [vars(r) for r in caplog.records if vars(r).get("action") == action]


async def test_a_read_only_database_is_waited_for_and_told_of_once(
    own_broker: Server, pool: Pool, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    async with await psycopg.AsyncConnection[Any].connect(database_url, autocommit=True) as admin:
        name = admin.info.dbname
        read_only = "SET default_transaction_read_only = on"
        await admin.execute(f'ALTER DATABASE "{name}" {read_only}'.encode())
        await admin.execute(TERMINATE)
        await pool.check()
        async with running(own_broker, pool) as run:
            await publish(own_broker, readings(50))
            await run.until_failed(5)
            assert run.source.in_flight == 50
            assert run.source.acknowledged == 0
            await admin.execute(f'ALTER DATABASE "{name}" RESET ALL'.encode())
            await run.until(50)
            assert run.counts == Counts(messages=50, stored=50, duplicate=0, rejected=0)
    (away,) = told(caplog, "ingest.database_away")
    assert away["state"] == "read-only"
    assert "target_session_attrs=read-write" in away["mend"]
    assert len(told(caplog, "ingest.database_back")) == 1
    assert run.source.in_flight == 0
    async with await psycopg.AsyncConnection[Any].connect(database_url) as conn:
        assert ledger.balance(await ledger.totals(conn), received=50) == 0


FULL_DISK = """
CREATE SEQUENCE tries;
CREATE FUNCTION fill_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('tries') <= 4 THEN
        RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100';
    END IF;
    RETURN new;
END $$;
CREATE TRIGGER fill_up BEFORE INSERT ON readings FOR EACH ROW EXECUTE FUNCTION fill_up();
"""


async def test_a_full_disk_is_waited_for_and_told_of_once(
    own_broker: Server, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    async with pool.connection() as conn:
        await conn.execute(FULL_DISK)
    async with running(own_broker, pool) as run:
        await publish(own_broker, readings(50))
        await run.until(50)
        assert run.counts == Counts(messages=50, stored=50, duplicate=0, rejected=0)
    (away,) = told(caplog, "ingest.database_away")
    assert (away["state"], "free space" in away["mend"]) == ("disk full", True)
    (back,) = told(caplog, "ingest.database_back")
    assert back["failures"] == 4
    assert ledger.balance(await totals(pool), received=run.source.received) == 0


async def test_stopping_while_the_database_is_away_acknowledges_nothing(
    own_broker: Server, own_postgres: OwnPostgres, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ingest.run")
    pool: Pool = AsyncConnectionPool(own_postgres.url, min_size=1, max_size=2, open=False)
    async with pool:
        async with running(own_broker, pool) as run:
            await publish(own_broker, readings(1))
            await run.until(1)
            await asyncio.to_thread(own_postgres.kill)
            await publish(own_broker, readings(5, first=1))
            await run.until_received(6)
        assert (run.source.received, run.source.acknowledged) == (6, 1)
        (balance,) = balances(caplog)
        assert (balance["stored"], balance["in_flight"], balance["unaccounted"]) == (1, 5, 0)
        await asyncio.to_thread(own_postgres.start)
        await pool.check()
        async with running(own_broker, pool) as again:
            await again.until(5)
            assert again.counts == Counts(messages=5, stored=5, duplicate=0, rejected=0)
