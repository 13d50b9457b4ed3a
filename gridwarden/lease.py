"""One worker per shard: a lock in the database, held for as long as the worker lives.

The second worker of a shard says so and stands by; one of another layout is refused. A lock dies
with its connection, so after a database restart the holder takes it again; if another has it by
then, this worker stops.
"""

import asyncio
import logging
from typing import TypeAlias

import psycopg

from devices.cancelling import give_way
from devices.connection import CONNECT_TIMEOUT_S, Backend, PunctualConnection, is_read_only
from gridwarden.errors import GridwardenError
from gridwarden.layout import check_layout
from gridwarden.shard import Shard
from ingest.store import claim_shard

log = logging.getLogger(__name__)

RETRY_S = 1.0
LOOK_EVERY_S = 2.0
HELD_S = 30.0
"""Real seconds without a question from its worker after which the server takes the lease back.

Of a worker that was killed, or stands still, behind a link that goes on answering for it.
"""

GHOST_S = 5.0
"""Real seconds that the server may take to end our former session, which still has the lock."""

_HOLD = "SELECT set_config('idle_session_timeout', %s, false)"

Connection: TypeAlias = PunctualConnection


class LeaseLostError(GridwardenError):
    """Another worker took this shard while the database was away."""


async def take(database_url: str, shard: Shard) -> Connection:
    """A connection that holds the shard's lock; waits, and says so, while another holds it.

    ShardError where the database is laid out for other shards, or a change of that is not finished.
    """
    told = ""
    while True:
        give_way()
        try:
            conn = await claim(database_url, shard)
        except psycopg.OperationalError as error:
            conn, why = None, f"the database is away: {error}"
        else:
            why = "another worker has this shard"
        if conn is not None:
            return conn
        if why != told:
            log.warning(
                "The service cannot begin yet; standing by.",
                extra={"action": "lease.standing_by", "shard": str(shard), "reason": why},
            )
        told = why
        await asyncio.sleep(RETRY_S)


async def keep(database_url: str, shard: Shard, conn: Connection) -> None:
    """Hold the shard until cancelled; LeaseLostError if another worker has taken it."""
    try:
        while True:
            give_way()
            await asyncio.sleep(LOOK_EVERY_S)
            if not await _good(conn, database_url):
                await conn.close()
                conn = await _retake(database_url, shard, conn.backend)
    finally:
        await conn.close()


async def _retake(database_url: str, shard: Shard, former: Backend | None) -> Connection:
    while True:
        give_way()
        try:
            conn = await claim(database_url, shard, former)
        except psycopg.OperationalError:
            await asyncio.sleep(RETRY_S)
            continue
        if conn is None:
            raise LeaseLostError(
                f"another worker took shard {shard.number} while the database was away; "
                "this one stops, start it again to stand by"
            )
        return conn


async def claim(
    database_url: str, shard: Shard, former: Backend | None = None
) -> Connection | None:
    """A connection that holds the shard's lock; None if another holds it; ShardError as `take`.

    former: our own session before, of which the server may not know that we have left it.
    """
    conn = await _connect(database_url)
    try:
        await conn.limit()
        await conn.execute(_HOLD, [str(round(HELD_S * 1_000))])
        if former is not None:
            await conn.end(former, wait_s=GHOST_S)
        await check_layout(conn, shard)
        claimed = await claim_shard(conn, shard.number)
        if claimed:
            # Again: what changes the layout holds the lock meanwhile.
            await check_layout(conn, shard)
    except BaseException:
        await conn.close()
        raise
    if claimed:
        return conn
    await conn.close()
    return None


async def _connect(database_url: str) -> Connection:
    return await PunctualConnection.connect(
        database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
    )


async def _good(conn: Connection, database_url: str) -> bool:
    """False if the server is gone, or lets us only read while another one lets us write."""
    try:
        barred = await is_read_only(conn)
    except psycopg.OperationalError:
        return False
    return not barred or not await _writable(database_url)


async def _writable(database_url: str) -> bool:
    try:
        async with await _connect(database_url) as other:
            return not await is_read_only(other)
    except psycopg.OperationalError:
        return False
