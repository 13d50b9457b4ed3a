"""Which topics a shard's session is subscribed to: those of its communities, as the site changes.

One worker for all listens on wildcards. Of several each has the topics of its own communities, and
the database knows at any moment at least those that the session may be subscribed to: so what is
left over after a crash, or from a community that is gone, is ended.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import tuple_row

from devices.cancelling import give_way
from devices.topic import SUBSCRIPTIONS, subscriptions
from gridwarden.pending import SQL
from gridwarden.pipeline import Pool
from gridwarden.shard import Shard
from ingest.source import Source

Connection: TypeAlias = AsyncConnection[Any]

_RECORD = (SQL / "record_subscriptions.sql").read_bytes()
_RECORDED = (SQL / "recorded_subscriptions.sql").read_bytes()
_FORGET = (SQL / "forget_subscriptions.sql").read_bytes()


@dataclass(frozen=True, slots=True)
class Topics:
    """wanted: to be subscribed to · left: possibly subscribed to, and no longer wanted."""

    wanted: tuple[str, ...]
    left: tuple[str, ...] = ()


def topics_of(shard: Shard, communities: Collection[str]) -> tuple[str, ...]:
    """What the session of a shard with these communities listens to."""
    if shard.whole:
        return SUBSCRIPTIONS
    return tuple(topic for community in sorted(communities) for topic in subscriptions(community))


async def record(conn: Connection, shard: Shard, communities: Collection[str]) -> Topics:
    """Write down, before the broker is asked, what the session will be subscribed to."""
    if shard.whole:
        return Topics(SUBSCRIPTIONS)
    values = _values(shard, communities)
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_RECORD, values)
        await cursor.execute(_RECORDED, values)
        known = {community for (community,) in await cursor.fetchall()}
    return Topics(topics_of(shard, communities), topics_of(shard, known - {*communities}))


async def follow(pool: Pool, source: Source, shard: Shard, communities: Collection[str]) -> None:
    """Be subscribed to these communities and no others; returns when the broker has granted it."""
    if shard.whole:
        return
    async with pool.connection() as conn:
        topics = await record(conn, shard, communities)
    give_way()  # the broker may be away for long
    await source.subscribe(topics.wanted, leave=topics.left)
    async with pool.connection() as conn:
        await conn.execute(_FORGET, _values(shard, communities))


def _values(shard: Shard, communities: Collection[str]) -> dict[str, Any]:
    return {"shards": shard.of, "shard": shard.number, "communities": sorted(communities)}
