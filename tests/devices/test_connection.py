"""Connections that end when they are of no use any more, whatever the server leaves unsaid."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import psycopg
import pytest
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.rows import TupleRow

from devices.connection import PunctualConnection, ensure_same, is_read_only, notifications
from tests.ingest.proxy import Proxy, Step
from tests.waiting import until

READ_ONLY = "SELECT set_config('default_transaction_read_only', %s, false)"
SOON_S = 0.05


class Impatient(PunctualConnection):
    """Waits for an answer as long as a test can."""

    patience_s = 0.3


@pytest.fixture
async def admin(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Somebody else at the database."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        yield conn


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Impatient]:
    """A limited connection, autocommit on."""
    conn = await Impatient.connect(url, autocommit=True)
    await conn.limit()
    yield conn
    await conn.close()


@asynccontextmanager
async def behind_a_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the database, and the URL that leads through it."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    async with Proxy(int(str(parts["port"]))) as proxy:
        yield proxy, psycopg.conninfo.make_conninfo(url, host="127.0.0.1", port=proxy.port)


async def test_who_hears_nothing_for_long_goes_on_listening(
    database_url: str, admin: psycopg.AsyncConnection
) -> None:
    async with connected(database_url) as conn:
        conn.patience_s = 0.5
        await conn.execute("LISTEN ear")
        async with aclosing(notifications(conn, every_s=SOON_S)) as heard:
            hearing = asyncio.ensure_future(anext(heard))
            done, _ = await asyncio.wait([hearing], timeout=3 * conn.patience_s)
            assert not done, "it hung up, though the server was there all the time"
            await admin.execute("NOTIFY ear, 'now'")
            assert (await hearing).payload == "now"


async def test_a_listener_leaves_a_server_that_says_nothing(database_url: str) -> None:
    async with behind_a_proxy(database_url) as (proxy, url), connected(url) as conn:
        await conn.execute("LISTEN ear")
        proxy.strike("stall")
        with pytest.raises(psycopg.OperationalError, match="no answer within"):
            await anext(notifications(conn, every_s=SOON_S))


async def test_who_could_write_and_cannot_any_more_is_told(database_url: str) -> None:
    async with connected(database_url) as conn:
        began = await is_read_only(conn)
        await ensure_same(conn, read_only=began)
        await conn.execute(READ_ONLY, ["on"])
        with pytest.raises(psycopg.OperationalError, match="can only read now"):
            await ensure_same(conn, read_only=began)


async def test_a_session_that_can_only_read_is_good_for_a_while_then_replaced(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(database_url) as conn:
        await conn.check()
        await conn.execute(READ_ONLY, ["on"])
        await conn.check()
        assert not conn.closed
        with pytest.raises(ReadOnlySqlTransaction):
            await conn.execute("CREATE TABLE t ()")
        monkeypatch.setattr("devices.connection.READ_ONLY_S", 0.0)
        with pytest.raises(psycopg.OperationalError, match="can only read"):
            await conn.check()
        assert conn.closed


async def copy_under_a_lock(conn: psycopg.AsyncConnection[TupleRow]) -> None:
    """A transaction that has all of table t, and is to copy into it."""
    async with conn.transaction(), conn.cursor() as cursor:
        await cursor.execute("LOCK TABLE t")
        async with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            await copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))


async def test_the_next_connection_ends_what_a_connection_that_was_left_holds(
    database_url: str, admin: psycopg.AsyncConnection
) -> None:
    """The server waits for the rest of a COPY as long as its TCP connection seems to live."""
    await admin.execute("CREATE TABLE t (a int)")
    async with behind_a_proxy(database_url) as (proxy, url), connected(url) as conn:
        left = conn.backend
        assert left is not None
        proxy.at(Step("up", b"PGCOPY"), proxy.lose)
        with pytest.raises(psycopg.OperationalError, match="no answer within"):
            await copy_under_a_lock(conn)
        alive = "SELECT FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
        assert (await admin.execute(alive, left)).rowcount == 1, "the server did not learn of it"
        async with connected(database_url) as other:
            await other.execute("LOCK TABLE t; SELECT FROM t")

        async def gone() -> bool:
            return (await admin.execute(alive, left)).rowcount == 0

        await until(gone, what="the session that was left has ended")


async def test_only_sessions_that_were_left_are_ended(database_url: str) -> None:
    async with connected(database_url) as conn, connected(database_url) as other:
        await conn.execute("SELECT 1")
        assert conn.backend is not None
        assert conn.backend != other.backend
        later = conn.backend._replace(since=conn.backend.since.replace(microsecond=0, year=2000))
        await other.end(later)
        await conn.execute("SELECT 1")
        await other.end(conn.backend, wait_s=5)
        with pytest.raises(psycopg.OperationalError):
            await conn.execute("SELECT 1")
