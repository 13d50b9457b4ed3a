"""Retention: what is older than it may get is dropped, except what is still needed.

A chunk of a hypertable goes as a whole where nothing in it is held; else, and on plain PostgreSQL,
rows go in pieces, each a transaction of its own. Held are rows of batches that are not settled and
what an alert that still needs a person shows. A crash leaves whole pieces done.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from importlib import resources
from typing import LiteralString

from psycopg import AsyncConnection, sql
from psycopg.rows import TupleRow

from devices.cancelling import give_way
from devices.instant import DAY, Micros, to_datetime
from gridwarden.edition import Edition, edition_of

ROWS = 20_000
"""Rows that one piece drops at most."""

LOCK_S = 5
"""Seconds that a drop waits for a writer; writers that come later wait behind it."""

_FOLDER = resources.files("gridwarden").joinpath("sql")
Connection = AsyncConnection[TupleRow]


def _read(name: str) -> bytes:
    return _FOLDER.joinpath(f"retain_{name}.sql").read_bytes()


_CHUNKS, _NEWER, _BATCHES, _COUNT_BATCHES, _ANNOUNCEMENTS, _UNDATED = (
    _read(name)
    for name in ("chunks", "newer", "batches", "count_batches", "announcements", "undated")
)


def _template(name: str) -> sql.SQL:
    text: LiteralString = _FOLDER.joinpath(f"retain_{name}.sql").read_text("utf-8")
    return sql.SQL(text)


class Hold(StrEnum):
    """What may keep a row beyond its time."""

    NOTHING = "nothing"
    NEEDED = "needed"
    """Its batch is not settled, or a standing alert shows it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A table whose rows go by their `time`, `days` after it."""

    table: str
    time: str
    days: int
    hold: Hold = Hold.NOTHING

    def before(self, now: Micros) -> datetime:
        """Rows from before this instant are too old at `now` (µs since the Unix epoch, UTC)."""
        return to_datetime(now - self.days * DAY)


@dataclass(frozen=True, slots=True)
class Retention:
    """Days that each kind of row is kept."""

    readings: int
    events: int
    rejected: int
    batches: int
    minutes: int
    hours: int
    days: int

    def tables(self) -> tuple[Kept, ...]:
        """The tables whose rows are known by a time of their own."""
        return (
            Kept("readings", "time", self.readings, Hold.NEEDED),
            Kept("events", "time", self.events, Hold.NEEDED),
            Kept("rejected_messages", "arrival", self.rejected),
            Kept("readings_5m", "bucket", self.minutes),
            Kept("readings_1h", "bucket", self.hours),
            Kept("readings_1d", "bucket", self.days),
        )


@dataclass(frozen=True, slots=True)
class Dropped:
    """A piece that was dropped: of which table, how many chunks, how many single rows."""

    table: str
    chunks: int
    rows: int


async def drop_old(conn: Connection, kept: Retention, now: Micros) -> AsyncIterator[Dropped]:
    """Drop what is too old at `now` (µs since the Unix epoch, UTC), piece by piece.

    `conn` is in autocommit: each piece is a transaction. psycopg.Error if the database refuses a
    piece; those before it stay dropped.
    """
    chunked = await edition_of(conn) is not Edition.PLAIN
    for table in kept.tables():
        if chunked:
            async for piece in _drop_chunks(conn, table, table.before(now)):
                yield piece
        if not chunked or table.table == "rejected_messages":
            async for piece in _drop_rows(
                conn, sql.Identifier(table.table), table, table.before(now)
            ):
                yield piece
    before = to_datetime(now - kept.batches * DAY)
    async for piece in _drop_batches(conn, before):
        yield piece


async def too_old(conn: Connection, kept: Retention, now: Micros) -> dict[str, int]:
    """By table, the rows that `drop_old` would drop at `now`, counted; nothing is changed.

    With TimescaleDB a row goes with its chunk, up to a chunk's width after it is counted here.
    """
    counted = {}
    for table in kept.tables():
        statement = _template("count").format(
            table=sql.Identifier(table.table), time=sql.Identifier(table.time), held=_held(table)
        )
        counted[table.table] = await _number(conn, statement, {"before": table.before(now)})
    before = {"before": to_datetime(now - kept.batches * DAY)}
    counted["batches"] = await _number(conn, _COUNT_BATCHES, before)
    return counted


async def _drop_chunks(conn: Connection, table: Kept, before: datetime) -> AsyncIterator[Dropped]:
    wanted = {"table": table.table, "before": before}
    chunks = await (await conn.execute(_CHUNKS, wanted)).fetchall()
    for schema, name, start, end, compressed in chunks:
        give_way()
        chunk = sql.Identifier(schema, name)
        if await _drop_chunk(conn, table, chunk, start, end):
            yield Dropped(table.table, 1, 0)
            continue
        if compressed:
            whole = f'"{schema}"."{name}"'
            await conn.execute("SELECT decompress_chunk(%s::regclass, true)", (whole,))
        async for piece in _drop_rows(conn, chunk, table, end):
            yield piece


async def _drop_chunk(
    conn: Connection, table: Kept, chunk: sql.Composable, start: datetime, end: datetime
) -> bool:
    """Drop a chunk in which nothing is held; False: something is.

    The whole chunk is looked at while batches go on being written; while none can be, only what
    came meanwhile.
    """
    noted: dict[int, int] = {}
    if table.hold is Hold.NEEDED:
        noted = dict(await (await conn.execute("SELECT shard, last_seq FROM shards")).fetchall())
        held = sql.SQL("SELECT EXISTS (SELECT FROM {} r WHERE {})").format(chunk, _held(table))
        if await _number(conn, held, {}):
            return False
    async with conn.transaction():
        await conn.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_S}s",))
        if table.hold is Hold.NEEDED:
            # every writer of readings has a row of it, so that none comes between look and drop
            await conn.execute("LOCK TABLE shards IN SHARE ROW EXCLUSIVE MODE")
            if await _came_since(conn, chunk, noted):
                return False
        await conn.execute(
            "SELECT drop_chunks(%s::regclass, older_than => %s::timestamptz,"
            " newer_than => %s::timestamptz)",
            (table.table, end, start),
        )
    return True


async def _came_since(conn: Connection, chunk: sql.Composable, noted: Mapping[int, int]) -> bool:
    """True if the chunk has a row of a batch that came after each shard's `noted` one."""
    wanted = {"shards": list(noted), "seqs": list(noted.values())}
    seqs = [seq for (seq,) in await (await conn.execute(_NEWER, wanted)).fetchall()]
    if not seqs:
        return False
    statement = sql.SQL(
        "SELECT EXISTS (SELECT FROM {} WHERE seq BETWEEN %(first)s AND %(last)s"
        " AND seq = ANY(%(seqs)s))"
    ).format(chunk)
    span = {"first": seqs[0], "last": seqs[-1], "seqs": seqs}
    return bool(await _number(conn, statement, span))


async def _drop_rows(
    conn: Connection, where: sql.Composable, table: Kept, before: datetime
) -> AsyncIterator[Dropped]:
    statement = _template("piece").format(
        table=where, time=sql.Identifier(table.time), held=_held(table)
    )
    while True:
        give_way()
        done = await conn.execute(statement, {"before": before, "limit": ROWS})
        if done.rowcount:
            yield Dropped(table.table, 0, done.rowcount)
        if done.rowcount < ROWS:
            return


async def _drop_batches(conn: Connection, before: datetime) -> AsyncIterator[Dropped]:
    while True:
        give_way()
        rows = await _number(conn, _BATCHES, {"before": before, "limit": ROWS})
        if rows:
            yield Dropped("batches", 0, rows)
        if rows < ROWS:
            break
    for table, statement in (("undated_messages", _UNDATED), ("announcements", _ANNOUNCEMENTS)):
        done = await conn.execute(statement)
        if done.rowcount:
            yield Dropped(table, 0, done.rowcount)


def _held(table: Kept) -> sql.Composable:
    return _template("held") if table.hold is Hold.NEEDED else sql.SQL("false")


async def _number(
    conn: Connection, statement: bytes | sql.Composed, values: Mapping[str, object]
) -> int:
    row = await (await conn.execute(statement, values)).fetchone()
    assert row is not None, "an aggregate has one row"  # noqa: S101
    return int(row[0])
