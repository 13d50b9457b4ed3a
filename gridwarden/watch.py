"""Notices that a site was applied. The notification only wakes; the version is the truth."""

import asyncio
import logging
from collections.abc import Callable

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from devices.cancelling import give_way
from devices.connection import (
    CONNECT_TIMEOUT_S,
    PunctualConnection,
    ensure_same,
    is_read_only,
)

log = logging.getLogger(__name__)

CHANNEL = "gridwarden_site"
POLL_S = 5.0
"""The version is looked at this often even if nothing was heard (real seconds)."""

_VERSION = "SELECT coalesce(max(version), 0) FROM site_versions"


async def watch_site(
    database_url: str, version: Callable[[], int], changed: asyncio.Event, *, poll_s: float = POLL_S
) -> None:
    """Set `changed` whenever the applied site's version is not `version()`, until cancelled."""
    told = False
    while True:
        give_way()
        try:
            async with await PunctualConnection.connect(
                database_url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S
            ) as conn:
                await conn.limit()
                await conn.execute(f"LISTEN {CHANNEL}")
                told = False
                await _watch(conn, version, changed, poll_s)
        except psycopg.OperationalError as error:
            if not told:
                log.warning(
                    "The watch over the applied site lost the database.",
                    extra={"action": "site.watch_lost", "error": str(error)},
                )
            told = True
            await asyncio.sleep(poll_s)


async def _watch(
    conn: AsyncConnection[TupleRow],
    version: Callable[[], int],
    changed: asyncio.Event,
    poll_s: float,
) -> None:
    began = await is_read_only(conn)
    while True:
        give_way()
        row = await (await conn.execute(_VERSION)).fetchone()
        if row is not None and row[0] != version():
            changed.set()
        async for _notification in conn.notifies(timeout=poll_s, stop_after=1):
            pass
        await ensure_same(conn, read_only=began)
