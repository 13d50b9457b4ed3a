"""One device that runs away, beside fifty that do not; through broker and database."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from devices.instant import MINUTE
from devices.inventory import Area, Device, Inventory
from gridwarden.clock import WallClock
from ingest import ledger, run
from ingest.backoff import Backoff
from ingest.batch import BatchPolicy
from ingest.conduct import marks
from ingest.conducted import known
from ingest.decode import Limits, decode
from ingest.decoded import Decoded
from ingest.fate import Counts
from ingest.limit import Allowance, Limiter
from ingest.message import RawMessage
from ingest.run import Collector
from ingest.source import Source
from ingest.store import CommittedBatch
from tests.ingest.publisher import Publisher
from tests.services.server import Server

Pool = AsyncConnectionPool[psycopg.AsyncConnection[Any]]

RUNAWAY = 51
SHARE = 1_440
KEPT = 1_000
AREA = Area(1, "c1", "community", None, {"zh": "甲", "en": "A"})
INVENTORY = Inventory.of(
    [AREA],
    [],
    [
        Device(n, f"d{n}", "c1", "wearable", 1, None, MINUTE, (), {}, {})
        for n in range(1, RUNAWAY + 1)
    ],
)


def said(device: int, number: int, now: int) -> tuple[str, bytes]:
    payload = b'{"ts": %d, "values": {"pulse": 70}}' % (now // 1_000 - number)
    return f"gw/v1/c1/d{device}/up", payload


async def test_a_runaway_is_limited_and_flagged_and_the_others_are_stored(
    own_broker: Server,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, done = WallClock(), asyncio.Event()
    decoded_of_it: list[int] = []
    batches: list[CommittedBatch] = []

    def counting(messages: Sequence[RawMessage], *rest: Any) -> Decoded:
        decoded_of_it.append(sum(m.topic == f"gw/v1/c1/d{RUNAWAY}/up" for m in messages))
        return decode(messages, *rest)

    async def keep(batch: CommittedBatch) -> None:
        batches.append(batch)
        if ledger.total(b.counts for b in batches).messages == 6_500:
            done.set()

    monkeypatch.setattr(run, "decode", counting)
    async with Source(
        url=own_broker.url,
        client_id="gridwarden-ingest",
        policy=BatchPolicy(messages=100, age=0.01),
        clock=clock,
        receive_window=1_000,
        heard=clock.now(),
    ) as source:
        collector = Collector(
            source=source,
            pool=pool,
            inventory=lambda: INVENTORY,
            clock=clock,
            hand_over=keep,
            limits=Limits(earliest=0, max_ahead=10 * MINUTE),
            limiter=Limiter(Allowance(burst=600, kept=KEPT)),
            backoff=Backoff(first=0.01, longest=0.05),
        )
        collecting = asyncio.create_task(collector.run())
        await source.wait_connected()
        now = clock.now()
        messages = []
        for turn in range(30):
            messages += [said(RUNAWAY, turn * 200 + n, now) for n in range(200)]
            messages += [said(n, turn, now) for n in range(1, RUNAWAY)][: 50 if turn < 10 else 0]
        with Publisher(own_broker.url) as publisher:
            await asyncio.to_thread(publisher.publish, messages)
        await done.wait()
        source.stop()
        await collecting
    async with pool.connection() as conn:
        by_device = await ledger.by_device(conn)
        reasons = await ledger.rejected_by_reason(conn)
        found = (await known(conn, [RUNAWAY]))[RUNAWAY].conduct
        totals = await ledger.totals(conn)
    assert {by_device.pop(n) for n in range(1, RUNAWAY)} == {Counts(10, 10, 0, 0)}
    runaway = by_device[RUNAWAY]
    assert runaway.messages == 6_000
    assert SHARE <= runaway.stored < 3_000
    assert runaway.rejected == 6_000 - runaway.stored
    assert reasons == {"too_many": KEPT}
    assert ledger.balance(totals, received=source.received) == 0
    assert sum(decoded_of_it) < runaway.stored + 100
    assert (found.too_many.count, marks(found, clock.now())) == (
        runaway.rejected,
        ("sends too much",),
    )
    told = [vars(r)["device"] for r in caplog.records if vars(r).get("action") == "ingest.too_many"]
    assert told == [RUNAWAY]
