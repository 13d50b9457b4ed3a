"""A running worker says what it counts: messages in flight are known to its memory only.

A row per shard, written every few seconds and taken away at an orderly end. An old one is of a
worker that is gone or cut off; what it had in flight, the broker sends again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from alerts.outbox import DATABASE_AWAY
from devices.cancelling import give_way
from devices.instant import Clock, Micros, to_datetime
from gridwarden.pending import SQL
from gridwarden.pipeline import Pool
from ingest.source import Source
from ingest.tally import Tally

log = logging.getLogger(__name__)

EVERY_S = 2.0
"""Real seconds between two reports."""


async def _nothing() -> None:
    """No more is done at a beat."""


@dataclass(slots=True)
class Heartbeat:
    """The reports of one worker. more: done at each beat, after the report."""

    pool: Pool
    clock: Clock
    shard: int
    source: Source
    tally: Tally
    more: Callable[[], Awaitable[None]] = _nothing
    started: Micros = field(init=False)

    def __post_init__(self) -> None:
        self.started = self.clock.now()

    async def beat(self) -> None:
        """Report every few seconds until cancelled; a database that is away is waited for."""
        while True:
            give_way()
            with contextlib.suppress(*DATABASE_AWAY):
                await self.report()
                await self.more()
            await asyncio.sleep(EVERY_S)

    async def report(self) -> None:
        """Write the figures as they are now."""
        counts = self.tally.counts
        values = {
            "shard": self.shard,
            "started_at": to_datetime(self.started),
            "reported_at": to_datetime(self.clock.now()),
            "connected": self.source.connected,
            "received": self.source.received,
            "stored": counts.stored,
            "duplicate": counts.duplicate,
            "rejected": counts.rejected,
            "in_flight": self.source.in_flight,
            "waiting": self.source.waiting,
        }
        async with self.pool.connection() as conn:
            await conn.execute((SQL / "report_collector.sql").read_bytes(), values)

    async def leave(self) -> None:
        """Take the row away: this worker has ended in order."""
        values = {"shard": self.shard, "started_at": to_datetime(self.started)}
        try:
            async with self.pool.connection() as conn:
                await conn.execute((SQL / "forget_collector.sql").read_bytes(), values)
        except DATABASE_AWAY as error:
            log.info(
                "The database is away at the end; the worker's last report stays there.",
                extra={"action": "heartbeat.left", "error": str(error)},
            )
