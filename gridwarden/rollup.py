"""Roll-ups: readings summed up by 5 minutes, hour and local day, each committed reading once.

A reading is never changed, and its batch has a number; so what the batches behind the cursor hold
is added to the buckets, in the transaction that moves the cursor. Late readings reach old buckets
in the same way, also where the raw readings beside them are no longer kept. A crash leaves cursor
and buckets as they were before the piece.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

PIECE = 200_000
"""Readings after which a piece takes no further batch."""

_FOLDER = resources.files("gridwarden").joinpath("sql")
_DUE, _STAGE, _MOVE, _ZONE, _BORDER = (
    _FOLDER.joinpath(f"rollup_{name}.sql").read_bytes()
    for name in ("due", "stage", "move", "zone", "border")
)
_ADD = sql.SQL(_FOLDER.joinpath("rollup_add.sql").read_text("utf-8"))
_FINE = sql.SQL("bucket")
_HOUR = sql.SQL("date_bin('1 hour', bucket, '2000-01-01T00:00Z')")

LOCK = int.from_bytes(b"gwrollup", "big")
"""The advisory lock of whoever writes roll-ups: one at a time in a database."""

Connection = AsyncConnection[TupleRow]


@dataclass(frozen=True, slots=True)
class Summed:
    """What one piece did: how many batches it took; 0 means that nothing is left of any shard."""

    batches: int


async def sum_up(conn: Connection, *, readings: int = PIECE) -> Summed | None:
    """Add the next batches of each shard to the roll-ups; None if another session is at it.

    Runs in the caller's transaction, at whose end its lock goes. psycopg.Error if the database
    refuses; nothing has then changed.
    """
    if not await _alone(conn):
        return None
    zone = await _zone_in_force(conn) if await _ours(conn) else None
    shards = await (await conn.execute("SELECT shard FROM shards ORDER BY shard")).fetchall()
    return Summed(sum([await _sum_shard(conn, shard, zone, readings) for (shard,) in shards]))


async def waiting(conn: Connection) -> tuple[int, int]:
    """Batches that are not summed up, and their readings."""
    query = """SELECT count(*), coalesce(sum(b.readings), 0)::bigint
        FROM batches b LEFT JOIN rollup_cursors c USING (shard) WHERE b.seq > coalesce(c.seq, 0)"""
    row = await (await conn.execute(query)).fetchone()
    assert row is not None, "an aggregate has one row"  # noqa: S101
    return row[0], row[1]


async def _alone(conn: Connection) -> bool:
    row = await (await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))).fetchone()
    return row is not None and bool(row[0])


async def _ours(conn: Connection) -> bool:
    """False where TimescaleDB keeps the roll-ups: continuous aggregates, which are views."""
    query = "SELECT relkind <> 'v' FROM pg_class WHERE oid = 'readings_5m'::regclass"
    row = await (await conn.execute(query)).fetchone()
    return row is not None and bool(row[0])


async def _sum_shard(conn: Connection, shard: int, zone: str | None, readings: int) -> int:
    due = await (await conn.execute(_DUE, {"shard": shard, "readings": readings})).fetchall()
    seqs = [seq for (seq,) in due]
    if not seqs:
        return 0
    if zone is not None:
        await _add_batches(conn, seqs, zone)
    await conn.execute(_MOVE, {"shard": shard, "seq": seqs[-1]})
    return len(seqs)


async def _add_batches(conn: Connection, seqs: Sequence[int], zone: str) -> None:
    await conn.execute(
        "CREATE TEMP TABLE IF NOT EXISTS rollup_added (LIKE readings_5m) ON COMMIT DELETE ROWS"
    )
    await conn.execute("DELETE FROM rollup_added")
    await conn.execute(_STAGE, {"first": seqs[0], "last": seqs[-1], "seqs": list(seqs)})
    await _add(conn, "readings_5m", _FINE, "rollup_added")
    await _add(conn, "readings_1h", _HOUR, "rollup_added")
    await _add(conn, "readings_1d", _day(zone), "rollup_added")


async def _zone_in_force(conn: Connection) -> str:
    """The site's time zone; where it has changed, the days are made anew from the 5 minutes."""
    row = await (await conn.execute(_ZONE)).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101
    zone: str = row[0]
    if row[1] != zone:
        if row[1] is not None:
            await _days_anew(conn, zone)
        await conn.execute(
            "INSERT INTO rollup_zone (time_zone) VALUES (%s)"
            " ON CONFLICT (id) DO UPDATE SET time_zone = excluded.time_zone",
            (zone,),
        )
    return zone


async def _days_anew(conn: Connection, zone: str) -> None:
    """Days whose buckets of 5 minutes are all kept; older ones stay as the old zone had them."""
    row = await (await conn.execute(_BORDER)).fetchone()
    begin = "-infinity" if row is None else row[0]
    await conn.execute("DELETE FROM readings_1d WHERE bucket >= %s::timestamptz", (begin,))
    await _add(conn, "readings_1d", _day(zone), "readings_5m", begin)


async def _add(
    conn: Connection, rollup: str, bucket: sql.Composable, source: str, begin: str = "-infinity"
) -> None:
    statement = _ADD.format(
        rollup=sql.Identifier(rollup), bucket=bucket, source=sql.Identifier(source)
    )
    await conn.execute(statement, {"begin": begin})


def _day(zone: str) -> sql.Composed:
    """The local day of a bucket of 5 minutes: offsets from UTC are whole numbers of these."""
    return sql.SQL("date_trunc('day', bucket, {})").format(sql.Literal(zone))
