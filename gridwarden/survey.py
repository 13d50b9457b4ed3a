"""What the database knows and metrics tell: the outbox, standing alerts, batches not yet judged.

Looked at on the service's heartbeat, not when somebody asks: whoever asks often costs the database
nothing.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncCursor
from psycopg.rows import TupleRow, tuple_row

from devices.instant import SECOND, Clock, Micros, to_micros
from gridwarden.pending import SQL
from gridwarden.pipeline import Pool

Cursor = AsyncCursor[TupleRow]


@dataclass(frozen=True, slots=True)
class Standing:
    """As of `at` (µs since the Unix epoch, UTC).

    queued: by channel · oldest_s: seconds that the oldest of these has waited · told: attempts
    since the start, by channel and outcome · alerts: by severity and state · behind: committed
    batches that the rules have not judged.
    """

    at: Micros
    queued: Mapping[str, int]
    oldest_s: float
    told: Mapping[tuple[str, str], int]
    alerts: Mapping[tuple[str, str], int]
    behind: int


@dataclass(slots=True)
class Survey:
    """Looks at the database for one shard. judged: the last batch that the rules judged.

    standing: what was seen last; None: nothing yet.
    """

    pool: Pool
    clock: Clock
    shard: int
    judged: Callable[[], int]
    standing: Standing | None = None
    _told: Counter[tuple[str, str]] = field(default_factory=Counter)
    _newest: tuple[int, int] | None = None

    async def look(self) -> None:
        """Look once; psycopg.Error or PoolTimeout if the database is away."""
        async with self.pool.connection() as conn, conn.cursor(row_factory=tuple_row) as cursor:
            queued = await _rows(cursor, "queued")
            await self._hear_told(cursor)
            alerts = await _rows(cursor, "alerts_standing")
            own = {"shard": self.shard, "judged": self.judged()}
            ((behind,),) = await _rows(cursor, "batches_behind", own)
        now = self.clock.now()
        oldest = [to_micros(row[2]) for row in queued if row[2] is not None]
        self.standing = Standing(
            now,
            {channel: number for channel, number, _oldest in queued},
            max(0.0, (now - min(oldest, default=now)) / SECOND),
            dict(self._told),
            {(severity, state): number for severity, state, number in alerts},
            behind,
        )

    async def _hear_told(self, cursor: Cursor) -> None:
        """Count the attempts since the last look; at the first look there are none."""
        if self._newest is None:
            ((notification, downlink),) = await _rows(cursor, "newest_told")
            self._newest = notification, downlink
            return
        notification, downlink = self._newest
        since = {"notification": notification, "downlink": downlink}
        for channel, outcome, number, one, other in await _rows(cursor, "told_since", since):
            self._told[channel, outcome] += number
            notification, downlink = max(notification, one), max(downlink, other)
        self._newest = notification, downlink


async def _rows(
    cursor: Cursor, name: str, values: Mapping[str, Any] | None = None
) -> list[TupleRow]:
    await cursor.execute((SQL / f"{name}.sql").read_bytes(), values)
    return await cursor.fetchall()
