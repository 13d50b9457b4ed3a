"""The watch over the applied site: woken by the notification, and by looking where none comes."""

import asyncio
import logging
from collections.abc import AsyncIterator

import psycopg
import pytest

from gridwarden.watch import watch_site

APPLIED = """INSERT INTO site_versions (applied_at, name, time_zone, changes)
    VALUES (now(), '{}', 'UTC', '[]')"""
NEVER_S = 3_600.0
SOON_S = 0.05
CUT = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""


class Watched:
    """The version in force, and the watch over it."""

    def __init__(self, url: str, poll_s: float) -> None:
        self.version = 0
        self.changed = asyncio.Event()
        watching = watch_site(url, lambda: self.version, self.changed, poll_s=poll_s)
        self.task = asyncio.create_task(watching)

    async def until_changed(self) -> None:
        async with asyncio.timeout(30):
            await self.changed.wait()
        self.changed.clear()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[psycopg.AsyncConnection]:
    """Whoever applies a site."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        yield conn


@pytest.fixture
async def started(database_url: str, other: psycopg.AsyncConnection) -> AsyncIterator[Watched]:
    """A watch that never looks by itself, and that has seen version 1 when it began."""
    await other.execute(APPLIED)
    watched = Watched(database_url, NEVER_S)
    await watched.until_changed()
    watched.version = 1
    yield watched
    watched.task.cancel()


async def test_the_notification_wakes(started: Watched, other: psycopg.AsyncConnection) -> None:
    async with other.transaction():
        await other.execute(APPLIED)
        await other.execute("NOTIFY gridwarden_site, '2'")
    await started.until_changed()


async def test_without_a_notification_it_looks(
    database_url: str, other: psycopg.AsyncConnection
) -> None:
    watched = Watched(database_url, SOON_S)
    await other.execute(APPLIED)
    await watched.until_changed()
    watched.task.cancel()


async def test_it_watches_on_after_a_cut(
    database_url: str, other: psycopg.AsyncConnection, caplog: pytest.LogCaptureFixture
) -> None:
    watched = Watched(database_url, SOON_S)
    await other.execute(APPLIED)
    await watched.until_changed()
    watched.version = 1
    await other.execute(CUT)
    await other.execute(APPLIED)
    await watched.until_changed()
    watched.task.cancel()
    lost = [r for r in caplog.records if vars(r).get("action") == "site.watch_lost"]
    assert [record.levelno for record in lost] == [logging.WARNING]
