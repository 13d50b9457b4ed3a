"""The service's connections when the database stands still, though nothing is closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from devices.connection import PunctualConnection
from gridwarden import lease
from gridwarden.service import open_pool
from gridwarden.settings import Settings
from gridwarden.shard import WHOLE
from tests.ingest.proxy import Proxy
from tests.waiting import until


@contextlib.asynccontextmanager
async def behind_a_proxy(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before the database, and the URL that leads through it."""
    parts = psycopg.conninfo.conninfo_to_dict(url)
    async with Proxy(int(str(parts.get("port", 5432)))) as proxy:
        who = f"{parts['user']}:{parts.get('password', '')}"
        yield proxy, f"postgresql://{who}@127.0.0.1:{proxy.port}/{parts['dbname']}"


async def test_what_a_stalled_database_is_asked_ends_with_an_error(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PunctualConnection, "patience_s", 0.5)
    async with behind_a_proxy(database_url) as (proxy, url):
        held = await lease.take(url, WHOLE)
        async with open_pool(Settings.model_validate({"database_url": url})) as pool:
            async with pool.connection() as conn:
                limit = await (await conn.execute("SHOW statement_timeout")).fetchone()
                assert limit == ("500ms",)
                proxy.strike("stall")
                with pytest.raises(psycopg.OperationalError, match="no answer within"):
                    await conn.execute("SELECT 1")
            with pytest.raises(psycopg.OperationalError, match="no answer within"):
                await held.execute("SELECT 1")
            assert proxy.abandoned >= 2  # the pool calls again meanwhile
            proxy.heal()
            async with pool.connection() as conn:
                assert await (await conn.execute("SELECT 1")).fetchone() == (1,)
        await held.close()


async def test_the_pool_finds_the_database_at_once_after_an_outage_of_any_length(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pool doubles its pause at each failure, for as long as it does not give up."""
    monkeypatch.setattr("gridwarden.service.RECONNECT_S", 0.1)
    async with (
        behind_a_proxy(database_url) as (proxy, url),
        open_pool(Settings.model_validate({"database_url": url})) as pool,
    ):
        async with pool.connection() as conn:
            await conn.execute("SELECT 1")
        proxy.strike("reset")

        async def given_up() -> bool:
            with contextlib.suppress(PoolTimeout, psycopg.OperationalError):
                async with pool.connection(timeout=0.2):
                    pass
            return proxy.refused > 4 and pool.get_stats()["pool_size"] <= 1

        await until(given_up, what="the pool has given its connections up")
        proxy.heal()
        async with pool.connection() as conn:
            assert await (await conn.execute("SELECT 1")).fetchone() == (1,)


async def test_the_lease_is_not_lost_to_a_session_of_ours_that_the_server_believes_in(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The link died without a word: the server keeps our lock for whoever does not come back."""
    monkeypatch.setattr(PunctualConnection, "patience_s", 0.3)
    monkeypatch.setattr(lease, "LOOK_EVERY_S", 0.01)
    async with behind_a_proxy(database_url) as (proxy, url):
        held = await lease.take(url, WHOLE)
        first = held.backend
        keeping = asyncio.create_task(lease.keep(url, WHOLE, held))
        proxy.lose()
        holders = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s"

        async def moved() -> bool:
            assert not keeping.done(), keeping.exception()
            async with await psycopg.AsyncConnection.connect(database_url) as admin:
                rows = await (await admin.execute(holders, [0x67726964])).fetchall()
            return first is not None and bool(rows) and rows != [(first.pid,)]

        await until(moved, what="a new session of ours has the lock")
        keeping.cancel()
        await asyncio.wait([keeping])


async def test_the_lease_moves_to_a_session_that_may_write(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LOOK_EVERY_S", 0.01)
    held = await lease.take(database_url, WHOLE)
    await held.execute("SET default_transaction_read_only = on")
    keeping = asyncio.create_task(lease.keep(database_url, WHOLE, held))

    async def moved() -> bool:
        return held.closed

    await until(moved, what="the session that can only read is left")
    assert not keeping.done()
    keeping.cancel()
    await asyncio.wait([keeping])


async def test_a_worker_that_is_gone_behind_a_link_that_is_not_loses_its_lease(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was killed, and a middlebox answers TCP's keepalive in its place."""
    async with behind_a_proxy(database_url) as (proxy, url):
        monkeypatch.setattr(lease, "HELD_S", 0.3)
        monkeypatch.setattr(lease, "RETRY_S", 0.05)
        dead = await lease.take(url, WHOLE)
        proxy.lose()
        async with asyncio.timeout(30):
            other = await lease.take(database_url, WHOLE)
        await other.close()
        await dead.close()
