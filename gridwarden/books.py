"""The ledger for a person: each device, all of them, and the workers that run.

It balances where every line adds up, where the devices and the batches count the same messages,
where no more is kept as rejected than was counted, and where each running worker knows what became
of all it received. In flight is as of the worker's last report.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

import psycopg
from psycopg import IsolationLevel
from psycopg.rows import class_row, tuple_row

from devices.instant import Micros, to_datetime
from gridwarden.pending import SQL
from ingest.fate import Counts
from ingest.ledger import balance

T = TypeVar("T")

STALE = timedelta(seconds=15)
"""A worker that reported longer ago is not running, or is cut off from the database."""

_IN_BATCHES = """SELECT coalesce(sum(messages), 0)::bigint FROM (
    SELECT messages FROM batches UNION ALL SELECT messages FROM dropped_batches) AS kept"""


@dataclass(frozen=True, slots=True)
class Line:
    """A device, or "" where none could be told. reasons: why messages are rejected, how many.

    in_part: messages that were stored in part, and of which the rest is kept.
    """

    community: str
    device: str
    received: int
    stored: int
    duplicate: int
    rejected: int
    last_heard: datetime | None
    reasons: dict[str, int]
    in_part: int


@dataclass(frozen=True, slots=True)
class Sum:
    """All selected devices. unbalanced: those that do not add up · overfull: those of which more is
    kept as rejected than was counted."""

    devices: int
    received: int
    stored: int
    duplicate: int
    rejected: int
    last_heard: datetime | None
    reasons: dict[str, int]
    in_part: int
    unbalanced: int
    overfull: int


@dataclass(frozen=True, slots=True)
class Worker:
    """What a worker counted since `started_at`, as of `reported_at`."""

    shard: int
    started_at: datetime
    reported_at: datetime
    connected: bool
    received: int
    stored: int
    duplicate: int
    rejected: int
    in_flight: int
    waiting: int

    @property
    def lost(self) -> int:
        """Messages that it received and that have no fate; 0 is right."""
        fates = Counts(self.received, self.stored, self.duplicate, self.rejected)
        return balance(fates, received=self.received, in_flight=self.in_flight)


@dataclass(frozen=True, slots=True)
class Books:
    """The ledger at one moment. in_batches: messages as the batches count them; None: of some
    devices only, so there is nothing to compare."""

    now: datetime
    lines: list[Line]
    sum: Sum
    workers: list[Worker]
    in_batches: int | None

    @property
    def running(self) -> list[Worker]:
        """The workers that reported lately."""
        return [one for one in self.workers if self.now - one.reported_at <= STALE]

    @property
    def in_flight(self) -> int:
        """Messages that running workers have received and not yet acknowledged."""
        return sum(one.in_flight for one in self.running)

    def errors(self) -> list[str]:
        """Why it does not balance; none: it does."""
        told = []
        if self.sum.unbalanced:
            told.append(
                f"{self.sum.unbalanced} devices: received is not stored + duplicate + rejected"
            )
        if self.sum.overfull:
            told.append(f"{self.sum.overfull} devices: more is kept as rejected than was counted")
        if self.in_batches is not None and self.in_batches != self.sum.received:
            told.append(
                f"devices count {self.sum.received} messages received, batches {self.in_batches}"
            )
        told += [
            f"worker of shard {one.shard}: {one.lost} messages received have no fate"
            for one in self.running
            if one.lost
        ]
        return told


async def books(
    url: str, now: Micros, *, community: str | None, device: str | None, limit: int | None
) -> Books:
    """The ledger, at most `limit` devices of it (None: all), the most rejected share first."""
    values = {"community": community, "device": device, "limit": limit}
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        # One picture: batches go on being committed between these questions.
        await conn.set_isolation_level(IsolationLevel.REPEATABLE_READ)
        lines = await _rows(conn, Line, "ledger_rows", values)
        (whole,) = await _rows(conn, Sum, "ledger_sum", values)
        workers = await _rows(conn, Worker, "ledger_workers", {})
        in_batches = None
        if community is None and device is None:
            async with conn.cursor(row_factory=tuple_row) as cursor:
                await cursor.execute(_IN_BATCHES)
                ((in_batches,),) = await cursor.fetchall()
    return Books(to_datetime(now), lines, whole, workers, in_batches)


async def _rows(
    conn: psycopg.AsyncConnection[Any], kind: type[T], name: str, values: dict[str, Any]
) -> list[T]:
    async with conn.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute((SQL / f"{name}.sql").read_bytes(), values)
        return await cursor.fetchall()
