"""A retry over many messages: in several transactions, by two people, against a deadlock."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devices.instant import SECOND, Micros, to_micros
from devices.inventory import Inventory
from gridwarden import rejected
from gridwarden.rejected import Connection, listed, operator, retry_all
from ingest.decode import Limits, decode
from ingest.retry import BATCH, Kept, Outcome, Present, Wanted, retry
from ingest.store import store
from tests import small_site
from tests.ingest.site import message, ms
from tests.whole import apply_site

NOW: Micros = to_micros(datetime(2026, 5, 1, tzinfo=UTC))
LIMITS = Limits(earliest=0, max_ahead=600 * SECOND)
MANY = 2 * BATCH + 100


@pytest.fixture
async def url(database_url: str, tmp_path: Path) -> str:
    """A database with many messages from before its site was applied, each said twice."""
    messages = [
        message(
            f"wearable-{n % 20 + 1}",
            {"ts": ms(NOW - n // 2 * 2 * SECOND - n % 2), "values": {"pulse": 60 + n % 40}},
            arrival=NOW,
        )
        for n in range(MANY // 2)
    ]
    async with await psycopg.AsyncConnection[Any].connect(database_url) as conn:
        for half in (messages, messages[::-1]):
            decoded = decode(half, Inventory.of([], [], []), LIMITS)
            await store(conn, decoded, shard=0, now=NOW, heard_until=NOW)
    await apply_site(
        database_url, small_site.write(tmp_path, "c1"), datetime(2026, 5, 2, tzinfo=UTC)
    )
    return database_url


async def run(url: str, *, by: str = "wang", dry_run: bool = False) -> list[int]:
    """How many messages had been looked at after each transaction."""
    return [
        progress.outcome.messages
        async for progress in retry_all(url, Wanted(), LIMITS, NOW, by=by, dry_run=dry_run)
    ]


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as conn:
        return conn.execute(query.encode()).fetchall()


def assert_all_stored_once(url: str) -> None:
    assert rows(url, "SELECT count(*) FROM readings") == [(MANY // 2,)]
    sums = "SELECT sum(received), sum(stored), sum(duplicate), sum(rejected) FROM ledger"
    assert rows(url, sums) == [(MANY, MANY // 2, MANY // 2, 0)]
    assert rows(url, "SELECT count(*) FROM rejected_messages WHERE retried_at IS NULL") == [(0,)]


async def test_many_are_stored_in_several_transactions_each_on_record(url: str) -> None:
    assert (await run(url, dry_run=True))[-1] == MANY
    assert rows(url, "SELECT count(*) FROM readings") == [(0,)]
    assert await run(url) == [0, BATCH, 2 * BATCH, MANY, MANY]
    assert_all_stored_once(url)
    audit = "SELECT detail->>'by', jsonb_array_length(detail->'ids') FROM audit_log ORDER BY id"
    assert rows(url, audit) == [("wang", BATCH), ("wang", BATCH), ("wang", MANY - 2 * BATCH)]
    left = await listed(url, Wanted(), since=None, limit=MANY, retried=False)
    known = await listed(url, Wanted(), since=None, limit=MANY, retried=True)
    assert (len(left), len(known), known[0].retried_by) == (0, MANY, "wang")


async def test_two_people_at_once_store_everything_once(url: str) -> None:
    await asyncio.gather(run(url, by="wang"), run(url, by="li"))
    assert_all_stored_once(url)
    noted = "SELECT id FROM audit_log, jsonb_array_elements(detail->'ids') AS each (id)"
    ids = [number for (number,) in rows(url, noted.replace("SELECT id", "SELECT each.id"))]
    assert (len(ids), len(set(ids))) == (MANY, MANY)


async def test_a_deadlock_is_gone_through_again(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failed: list[int] = []

    async def deadlocked(conn: Connection, kept: Sequence[Kept], present: Present) -> Outcome:
        outcome = await retry(conn, kept, present)
        if len(failed) < 2:
            failed.append(len(kept))
            raise psycopg.errors.DeadlockDetected("deadlock detected")
        return outcome

    monkeypatch.setattr(rejected, "retry", deadlocked)
    assert await run(url) == [0, BATCH, 2 * BATCH, MANY, MANY]
    assert failed == [BATCH, BATCH]
    assert_all_stored_once(url)


def test_who_runs_the_command_has_a_name_even_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "wang")
    assert operator() == "wang"

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("gridwarden.rejected.getpass.getuser", nameless)
    assert operator() == "unknown"
