"""Fixtures for all tests: real servers, a fresh database per test, unique names."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from gridwarden.migrate import migrate
from tests.accounts.guarded import Guarded, start
from tests.services import choose, trixie
from tests.services.databases import Databases, url_of
from tests.services.server import Provider, Server
from tests.skips import pytest_sessionfinish, pytest_terminal_summary

__all__ = ["pytest_sessionfinish", "pytest_terminal_summary"]

# Tests of the chroot servers where nothing is run by chroot.
collect_ignore = [] if trixie.possible() else ["services/test_chroot.py"]


class OwnPostgres:
    """A server for one test to kill; its database `gridwarden` is migrated."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self.url = url_of(server.url, "gridwarden")
        self.port = server.port
        with psycopg.connect(server.url, autocommit=True) as conn:
            conn.execute("CREATE DATABASE gridwarden")
        migrate(self.url)

    def kill(self) -> None:
        """SIGKILL for the whole server."""
        self._server.kill()

    def start(self) -> None:
        """Start it again on the same port and data, recovery included."""
        self._server.start()


@pytest.fixture(scope="session")
def services() -> Iterator[Callable[[], Provider]]:
    """Gives the provider of servers, chosen at the first call: not needed with the user's own."""
    made: list[Provider] = []

    def provider() -> Provider:
        if not made:
            made.append(choose.provider())
        return made[0]

    yield provider
    for each in made:
        each.close()


@pytest.fixture(scope="session")
def postgres(services: Callable[[], Provider]) -> str:
    """The session's TimescaleDB: the URL of a database from which others may be created."""
    own = choose.own_servers().database_url
    return own or services().postgres(durable=False).url


@pytest.fixture(scope="session")
def databases(postgres: str) -> Iterator[Databases]:
    """Makes databases on the session's server."""
    with Databases(postgres) as databases:
        yield databases


@pytest.fixture
def database_url(databases: Databases) -> Iterator[str]:
    """A fresh migrated database, dropped afterwards."""
    name, url = databases.create()
    yield url
    databases.drop(name)


@pytest.fixture
def empty_database_url(databases: Databases) -> Iterator[str]:
    """A fresh database without our schema, dropped afterwards."""
    name, url = databases.create_empty()
    yield url
    databases.drop(name)


@pytest.fixture
async def connection(database_url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A connection (autocommit off) to the test's database; rolled back at the end."""
    conn = await psycopg.AsyncConnection.connect(database_url)
    try:
        yield conn
    finally:
        await conn.close()


@pytest.fixture
async def pool(
    database_url: str,
) -> AsyncIterator[AsyncConnectionPool[psycopg.AsyncConnection[Any]]]:
    """An open pool of at most four connections to the test's database."""
    async with AsyncConnectionPool(database_url, min_size=1, max_size=4, open=False) as pool:
        yield pool


@pytest.fixture
def own_postgres(services: Callable[[], Provider]) -> Iterator[OwnPostgres]:
    """A durable (fsync on) server of the test's own, to be killed and started."""
    server = services().postgres(durable=True)
    yield OwnPostgres(server)
    server.remove()


@pytest.fixture(scope="session")
def broker_url(services: Callable[[], Provider]) -> str:
    """The session's broker: take client ids and communities from `unique`, others use it too."""
    own = choose.own_servers().mqtt_url
    return own or services().mosquitto().url


@pytest.fixture
def own_broker(services: Callable[[], Provider]) -> Iterator[Server]:
    """A broker of the test's own, to be killed and started."""
    server = services().mosquitto()
    yield server
    server.remove()


@pytest.fixture
def guarded(services: Callable[[], Provider], tmp_path: Path) -> Iterator[Guarded]:
    """A broker of the test's own that wants accounts; it has an administrator and the service."""
    started = start(services, tmp_path / "tls")
    yield started
    started.server.remove()


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Gives `word` an ending that no other test has: client ids, communities, devices."""
    ending = token_hex(4)
    return lambda word: f"{word}-{ending}"
