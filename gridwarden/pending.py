"""Devices as the database knows them: those registered, and those that wait to be adopted.

A device that nobody registered is refused with all it says, and kept as rejected: it waits here,
with its last message, until the site folder has an entry with its address (or its code).
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import class_row

from devices.instant import DAY, Micros, to_datetime, to_micros
from devices.kind import SILENT_AFTER_INTERVALS
from devices.liveness import LastSaid, Liveness, liveness
from devices.metric import BY_NAME

SQL = Path(__file__).parent / "sql"
REMEMBERED: Micros = 30 * DAY
"""A device that was not heard from for longer does not wait any more."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A device that was heard from and is not registered. topic, payload: its last message."""

    community: str
    address: str
    messages: int
    first_heard: datetime
    last_heard: datetime
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """A registered device; `retired_at` where it is kept for its history only."""

    community: str
    code: str
    kind: str
    name: dict[str, str]
    address: str | None
    area: str | None
    household: str | None
    interval_us: Micros
    retired_at: datetime | None
    heard: datetime | None
    left_at: datetime | None
    battery: float | None
    battery_low: float | None

    def liveness(self, now: Micros) -> Liveness:
        """Whether it lives at `now` (µs, UTC)."""
        said = LastSaid(_micros(self.heard), _micros(self.left_at), self.battery, self.battery_low)
        return liveness(said, SILENT_AFTER_INTERVALS * self.interval_us, now)


async def pending(
    url: str, now: Micros, community: str | None = None, *, limit: int = 1_000
) -> list[Pending]:
    """Devices that wait to be adopted, the last heard first; at most `limit`."""
    values = {"since": to_datetime(now - REMEMBERED), "community": community, "limit": limit}
    async with (
        await psycopg.AsyncConnection[Any].connect(url) as conn,
        conn.cursor(row_factory=class_row(Pending)) as cursor,
    ):
        await cursor.execute((SQL / "pending_devices.sql").read_bytes(), values)
        return await cursor.fetchall()


async def known(
    url: str, community: str | None = None, code: str | None = None, *, retired: bool = False
) -> list[Known]:
    """The registered devices, by community and code; only those of the community or code named."""
    metrics = {name: BY_NAME[name].id for name in ("heartbeat", "battery", "battery_low")}
    values = {"community": community, "code": code, "retired": retired, **metrics}
    async with (
        await psycopg.AsyncConnection[Any].connect(url) as conn,
        conn.cursor(row_factory=class_row(Known)) as cursor,
    ):
        await cursor.execute((SQL / "registered_devices.sql").read_bytes(), values)
        return await cursor.fetchall()


def _micros(moment: datetime | None) -> Micros | None:
    return None if moment is None else to_micros(moment)
