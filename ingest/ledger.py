"""The ledger: every received message is stored, duplicate or rejected; nothing else.

A message counts each time the broker delivers it. What is received and not yet committed is in
flight, and known only to the source.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from ingest.fate import Counts

_SQL = Path(__file__).parent / "sql"
_TOTALS = (_SQL / "ledger_totals.sql").read_bytes()
_BY_DEVICE = (_SQL / "ledger_by_device.sql").read_bytes()
_BY_REASON = (_SQL / "rejected_by_reason.sql").read_bytes()


async def totals(conn: AsyncConnection[Any]) -> Counts:
    """Messages of all devices by fate."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_TOTALS)
        return Counts(*(await cursor.fetchall())[0])


async def by_device(conn: AsyncConnection[Any]) -> dict[int, Counts]:
    """Messages by fate for each device id; 0 where no device could be told."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_BY_DEVICE)
        return {device: Counts(*counts) for device, *counts in await cursor.fetchall()}


async def rejected_by_reason(conn: AsyncConnection[Any]) -> dict[str, int]:
    """Kept rejected messages, partly rejected ones included, by reason."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_BY_REASON)
        return dict(await cursor.fetchall())


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of these."""
    every = list(counts)
    return Counts(
        sum(c.messages for c in every),
        sum(c.stored for c in every),
        sum(c.duplicate for c in every),
        sum(c.rejected for c in every),
    )


def balance(counts: Counts, *, received: int, in_flight: int = 0) -> int:
    """Messages unaccounted for: 0 when received = stored + duplicate + rejected + in flight.

    Positive: some were received and have no fate; negative: some have a fate and never came.
    """
    return received - (counts.stored + counts.duplicate + counts.rejected + in_flight)
