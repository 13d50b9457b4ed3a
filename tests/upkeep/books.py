"""Batches for tests of upkeep: stored as the service stores them, and what their sums must be."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from devices.instant import MINUTE, Micros, to_micros
from devices.inventory import Area, Device, Inventory
from ingest.decode import decode
from ingest.message import RawMessage
from ingest.store import CommittedBatch, store
from tests.ingest.site import LIMITS, NOW, message, ms

Connection = AsyncConnection[TupleRow]
Row = tuple[Any, ...]

ROLLUPS = ("readings_5m", "readings_1h", "readings_1d")


def wearables(*ids: int) -> Inventory:
    """Wearables w1, w2, … in the community c1, with these ids."""
    devices = [
        Device(each, f"w{n}", "c1", "wearable", 1, None, MINUTE, (), {})
        for n, each in enumerate(ids, 1)
    ]
    return Inventory.of([Area(1, "c1", "community", None, {})], [], devices)


def pulse(at: datetime, value: float, device: str = "w1") -> RawMessage:
    """A message with a pulse of that instant."""
    return message(device, {"ts": ms(to_micros(at)), "values": {"pulse": value}})


async def keep(
    conn: Connection,
    site: Inventory,
    messages: Sequence[RawMessage],
    *,
    shard: int = 0,
    now: Micros = NOW,
) -> CommittedBatch:
    """Store a batch as the service does, and commit."""
    decoded = decode(messages, site, LIMITS)
    async with conn.transaction():
        batch = await store(conn, decoded, shard=shard, now=now, heard_until=now)
    await conn.commit()
    return batch


async def rows(conn: Connection, query: str, *values: object) -> list[Row]:
    """What the database answers."""
    return await (await conn.execute(query.encode(), values)).fetchall()


async def rolled_up(conn: Connection, rollup: str, devices: Sequence[int]) -> list[Row]:
    """A roll-up's rows of these devices, in the order of `summed`."""
    return await rows(
        conn,
        "SELECT device_id, metric_id, bucket, count, min, max, sum, first, last, first_time,"  # noqa: S608
        f" last_time FROM {rollup} WHERE device_id = ANY(%s) ORDER BY 1, 2, 3",
        list(devices),
    )


async def summed(conn: Connection, rollup: str, devices: Sequence[int], zone: str) -> list[Row]:
    """What the roll-up must be: the stored readings of these devices, summed up here."""
    query = "SELECT device_id, metric_id, time, value FROM readings WHERE device_id = ANY(%s)"
    begin = _BEGIN[rollup]
    buckets = defaultdict(list)
    for device, metric, at, value in await rows(conn, query, list(devices)):
        buckets[device, metric, begin(at, ZoneInfo(zone))].append((at, value))
    return [_sum(key, sorted(buckets[key])) for key in sorted(buckets)]


def _sum(key: Row, readings: list[tuple[datetime, float]]) -> Row:
    values = [value for _, value in readings]
    (first_time, first), (last_time, last) = readings[0], readings[-1]
    sums = (len(values), min(values), max(values), sum(values))
    return (*key, *sums, first, last, first_time, last_time)


def _minutes(at: datetime, _zone: ZoneInfo) -> datetime:
    at = at.astimezone(UTC)
    return at.replace(minute=at.minute - at.minute % 5, second=0, microsecond=0)


def _hour(at: datetime, _zone: ZoneInfo) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def _day(at: datetime, zone: ZoneInfo) -> datetime:
    return datetime.combine(at.astimezone(zone).date(), time(), zone).astimezone(UTC)


_BEGIN: dict[str, Callable[[datetime, ZoneInfo], datetime]] = {
    "readings_5m": _minutes,
    "readings_1h": _hour,
    "readings_1d": _day,
}


async def exact(conn: Connection, devices: Sequence[int], zone: str) -> None:
    """AssertionError where a roll-up is not what the stored readings sum up to."""
    for rollup in ROLLUPS:
        assert await rolled_up(conn, rollup, devices) == await summed(conn, rollup, devices, zone)


async def set_zone(conn: Connection, zone: str) -> None:
    """A site of that time zone is in force."""
    await conn.execute(
        "INSERT INTO site_versions (applied_at, name, time_zone, changes)"
        " VALUES (now(), '{}', %s, '{}')",
        (zone,),
    )
    await conn.commit()
