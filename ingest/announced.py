"""What devices announced, in the database: written with its batch, read at the start.

Everything here runs in the caller's transaction.
"""

from pathlib import Path
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.rows import TupleRow, tuple_row

from devices import formats
from devices.formats.memory import Changes, Memory

_SQL = Path(__file__).parent / "sql"
_ALL = (_SQL / "announcements.sql").read_bytes()
_KEEP = (_SQL / "keep_announcements.sql").read_bytes()
_WITHDRAW = (_SQL / "withdraw_announcements.sql").read_bytes()


async def announced(conn: AsyncConnection[Any]) -> Memory:
    """Everything announced by devices up to the last committed batch."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(_ALL)
        return Memory.of(
            [
                ((community, of, subject), formats.load(of, subject, state))
                async for community, of, subject, state in cursor
            ]
        )


async def keep_announced(cursor: AsyncCursor[TupleRow], changes: Changes, seq: int) -> None:
    """Write what batch `seq` changed of it; the same changes may be written again."""
    kept = [(*key, entry.dump()) for key, entry in changes.items() if entry is not None]
    gone = [key for key, entry in changes.items() if entry is None]
    for query, rows in ((_KEEP, kept), (_WITHDRAW, gone)):
        if rows:
            columns = [list(column) for column in zip(*rows, strict=True)]
            names = ("communities", "formats", "subjects", "states")
            await cursor.execute(query, {"seq": seq, **dict(zip(names, columns, strict=False))})
