"""Stored readings and events for a backtest: read only, portion by portion, by arrival.

They are found by their own time, which is what the tables are divided by, and handed out by their
arrival: what is dated ahead of it waits for its portion, what came late is in a later one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from psycopg.rows import TupleRow

from devices.instant import DAY, HOUR, MINUTE, Micros, to_datetime
from devices.reading import Batch, concatenate
from devices.token import NAMING
from gridwarden.backtest import Ground, Recording
from gridwarden.backtest_ground import ground_of_database
from gridwarden.whom import whom
from ingest.binary_copy import FLOAT8, INT2, INT4, INT8, TIMESTAMP, decode, from_timestamp

SQL = Path(__file__).parent / "sql"

LATE: Micros = DAY
"""What came later than so long after its own time is not found, unless its time is in the span."""

_LAYOUT = (TIMESTAMP, TIMESTAMP, INT4, INT2, FLOAT8, INT8)
_FEW, _MANY = 250_000, 1_000_000
"""Rows of a portion: with fewer the next one is twice as long, with more half as long."""
_SHORTEST, _LONGEST = MINUTE, DAY

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Readings that arrived from `start` on and before `end`, µs since epoch, UTC.

    ahead: by how much the time of a stored reading is after its arrival at most, µs.
    """

    start: Micros
    end: Micros
    ahead: Micros


async def read_ground(url: str) -> Ground:
    """The applied site; read only."""
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        await conn.set_read_only(True)
        return await ground_of_database(conn)


def stored(conn: Connection, stretch: Stretch) -> Recording:
    """What the database has of this stretch, read as it is asked for.

    conn: not in a transaction; it is made read-only, and all is of one state of the database.
    """
    conn.read_only = True
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    return Recording(_by_arrival(conn, stretch), stretch.start, stretch.end)


def _by_arrival(conn: Connection, stretch: Stretch) -> Iterator[Batch]:
    held = Batch.empty()
    for rows, upto in _portions(conn, stretch):
        held = concatenate([held, rows])
        held = held.take(np.lexsort((held.time, held.arrival)))
        ripe = int(np.searchsorted(held.arrival, upto - stretch.ahead))
        yield held.take(np.arange(ripe))
        held = held.take(np.arange(ripe, len(held)))
    yield held


def _portions(conn: Connection, stretch: Stretch) -> Iterator[tuple[Batch, Micros]]:
    """Rows by their own time, and up to which time they go."""
    end = stretch.end + stretch.ahead
    yield _read(conn, stretch, stretch.start - LATE, stretch.start), stretch.start
    start, span = stretch.start, HOUR
    while start < end:
        upto = min(start + span, end)
        rows = _read(conn, stretch, start, upto)
        yield rows, upto
        start = upto
        if len(rows) < _FEW:
            span = min(2 * span, _LONGEST)
        elif len(rows) > _MANY:
            span = max(span // 2, _SHORTEST)


def _read(conn: Connection, stretch: Stretch, start: Micros, end: Micros) -> Batch:
    bound = {
        "start": to_datetime(start),
        "end": to_datetime(end),
        "first": to_datetime(stretch.start),
        "last": to_datetime(stretch.end),
    }
    query = (SQL / "backtest_readings.sql").read_bytes()
    with conn.cursor() as cursor, cursor.copy(query, bound) as copy:
        stream = b"".join(bytes(block) for block in copy)
    query = (SQL / "backtest_named.sql").read_bytes()
    named = conn.execute(query, {**bound, "naming": list(NAMING)}).fetchall()
    time, arrival, device, metric, value, digest = decode(stream, _LAYOUT)
    time, arrival = from_timestamp(time), from_timestamp(arrival)
    return Batch(time, arrival, device, metric, value, *whom(device, metric, time, digest, named))
