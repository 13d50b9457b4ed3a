"""Upkeep of what is stored: readings summed up once a minute, what is too old dropped once an hour.

Each worker tries; whoever has the lock does it, the others look again at the next turn. `gridwarden
upkeep` does the same by hand.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from devices.cancelling import give_way
from devices.connection import CONNECT_TIMEOUT_S, PunctualConnection
from devices.instant import Clock
from gridwarden.retention import Dropped, Retention, drop_old
from gridwarden.rollup import PIECE, sum_up

log = logging.getLogger(__name__)

SUM_EVERY_S = 60.0
"""Real seconds between two turns."""

DROP_EVERY = 60
FIRST_DROP = 4
"""Turns from one look for what is too old to the next, and before the first."""

_LOCK = int.from_bytes(b"gwupkeep", "big")
_TAKE, _LEAVE = "SELECT pg_try_advisory_lock(%s)", "SELECT pg_advisory_unlock(%s)"

Connection = AsyncConnection[TupleRow]
Tell = Callable[[str, int], None]


class Patient(PunctualConnection):
    """For pieces of upkeep, which may take minutes; a server that is cut off is left as well."""

    patience_s = 600.0


def nobody(_what: str, _count: int) -> None:
    """Tells nobody of the progress."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one turn did; `taken`: another session was at it, and so nothing was done.

    batches: summed up · dropped: the pieces.
    """

    taken: bool = False
    batches: int = 0
    dropped: tuple[Dropped, ...] = ()


async def keep_up(
    database_url: str,
    kept: Retention,
    clock: Clock,
    *,
    every_s: float = SUM_EVERY_S,
    first_drop: int = FIRST_DROP,
) -> None:
    """A turn after each `every_s` real seconds, until cancelled.

    Whatever the database refuses is tried again at the next turn: readings go on coming in.
    """
    turn, told = 0, ""
    while True:
        give_way()
        await asyncio.sleep(every_s)
        try:
            done = await turn_of(
                database_url, kept, clock, drop=turn % DROP_EVERY == first_drop % DROP_EVERY
            )
        except psycopg.Error as error:
            trouble = type(error).__name__
            if trouble != told:
                log.warning(
                    "The upkeep of what is stored failed; it is tried again.",
                    extra={"action": "upkeep.failed", "error": str(error)},
                )
            told = trouble
            continue
        # where another session is at it, this turn comes again
        turn += not done.taken
        told = ""
        _say(done)


async def turn_of(
    database_url: str, kept: Retention, clock: Clock, *, drop: bool = True, tell: Tell = nobody
) -> Done:
    """Sum up all that is committed, then, if asked, drop what is too old, piece by piece.

    tell: called after each piece with the table's name (or 'batches summed up') and how many.
    psycopg.Error if the database refuses a piece; those before it are done.
    """
    async with await Patient.connect(
        database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
    ) as conn:
        await conn.limit()
        row = await (await conn.execute(_TAKE, (_LOCK,))).fetchone()
        if row is None or not row[0]:
            return Done(taken=True)
        batches = await _sum_all(conn, tell)
        dropped = await _drop_all(conn, kept, clock, tell) if drop else ()
        await conn.execute(_LEAVE, (_LOCK,))
    return Done(batches=batches, dropped=dropped)


async def _sum_all(conn: Connection, tell: Tell) -> int:
    batches = 0
    while True:
        give_way()
        async with conn.transaction():
            summed = await sum_up(conn, readings=PIECE)
        if summed is None or not summed.batches:
            return batches
        batches += summed.batches
        tell("batches summed up", summed.batches)


async def _drop_all(
    conn: Connection, kept: Retention, clock: Clock, tell: Tell
) -> tuple[Dropped, ...]:
    pieces = []
    async for piece in drop_old(conn, kept, clock.now()):
        tell(piece.table, piece.rows or piece.chunks)
        pieces.append(piece)
    return tuple(pieces)


def _say(done: Done) -> None:
    if not done.dropped:
        return
    tables = dict.fromkeys(piece.table for piece in done.dropped)
    log.info(
        "What was too old was dropped.",
        extra={
            "action": "upkeep.dropped",
            "chunks": sum(piece.chunks for piece in done.dropped),
            "rows": sum(piece.rows for piece in done.dropped),
            "tables": ",".join(tables),
        },
    )
