"""Which TimescaleDB a server has: asked, never assumed."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import psycopg

_QUESTION = """
SELECT current_setting('server_version'),
       (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),
       current_setting('timescaledb.license', true)
"""


class Edition(StrEnum):
    """What a database can do beyond plain SQL."""

    COMMUNITY = "community"
    """Continuous aggregates, columnstore, policies, gap filling."""

    APACHE = "apache"
    """Hypertables, `time_bucket` and `drop_chunks` only."""

    PLAIN = "plain"
    """PostgreSQL without the extension in this database."""


@dataclass(frozen=True, slots=True)
class Server:
    """A database's edition and versions; `timescaledb` is None on plain PostgreSQL."""

    edition: Edition
    postgresql: str
    timescaledb: str | None


def server(conn: psycopg.Connection[Any]) -> Server:
    """What `conn`'s database runs on.

    Raises psycopg.Error if the server cannot be asked.
    """
    row = conn.execute(_QUESTION).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101
    postgresql, timescaledb, licence = row
    return Server(_edition(timescaledb, licence), postgresql, timescaledb)


def edition(conn: psycopg.Connection[Any]) -> Edition:
    """The edition of `conn`'s database. Raises psycopg.Error if the server cannot be asked."""
    return server(conn).edition


async def edition_of(conn: psycopg.AsyncConnection[Any]) -> Edition:
    """As `edition`, on an asynchronous connection whose rows are tuples."""
    row = await (await conn.execute(_QUESTION)).fetchone()
    assert row is not None, "a SELECT without FROM has one row"  # noqa: S101
    return _edition(row[1], row[2])


def _edition(timescaledb: str | None, licence: str | None) -> Edition:
    if timescaledb is None:
        return Edition.PLAIN
    return Edition.COMMUNITY if licence == "timescale" else Edition.APACHE
