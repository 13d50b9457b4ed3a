"""How long it took from a reading's arrival until its alert was delivered."""

from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from alerts.query import query
from devices.instant import Micros, to_datetime

Connection: TypeAlias = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class Latency:
    """Over `count` first messages, in seconds; median and p99 are None where there are none."""

    count: int
    median: float | None
    p99: float | None


async def measure(conn: Connection, channel: str, *, after: Micros, speed: float = 1.0) -> Latency:
    """Of what this channel delivered since `after` (service time, µs since epoch, UTC).

    speed: service seconds per real second, so that the result is in real seconds. Counted are the
    alerts that one reading fired; what a timer fired waited for time, not for us.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("latency"), {"channel": channel, "after": to_datetime(after)})
        [row] = await cursor.fetchall()
    if not row["count"]:
        return Latency(0, None, None)
    return Latency(row["count"], row["median"] / speed, row["p99"] / speed)
