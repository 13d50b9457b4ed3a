"""One connection that listens for changed inboxes, and the bell that wakes the streams waiting."""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Iterator

import psycopg
from psycopg_pool import AsyncConnectionPool

from devices.cancelling import give_way
from devices.connection import notifications

CHANNEL = "gridwarden_inbox"
RETRY_S = 2.0

log = logging.getLogger(__name__)


class Bell:
    """Wakes everybody who waits for a member's inbox to change. Rings are merged, never lost."""

    def __init__(self) -> None:
        self._waiting: defaultdict[int, set[asyncio.Event]] = defaultdict(set)
        self.closed = False
        self.listening = asyncio.Event()

    @contextlib.contextmanager
    def waiting_for(self, member: int) -> Iterator[asyncio.Event]:
        """An event that is set whenever this member's inbox may have changed, or at the end."""
        ring = asyncio.Event()
        self._waiting[member].add(ring)
        try:
            yield ring
        finally:
            self._waiting[member].discard(ring)
            if not self._waiting[member]:
                del self._waiting[member]

    def ring(self, member: int) -> None:
        """This member's inbox changed."""
        for event in self._waiting.get(member, ()):
            event.set()

    def ring_all(self) -> None:
        """Any inbox may have changed."""
        for member in list(self._waiting):
            self.ring(member)

    def close(self) -> None:
        """Ends every stream; idempotent."""
        self.closed = True
        self.ring_all()


async def listen(pool: AsyncConnectionPool, bell: Bell) -> None:
    """Rings the bell for each notification until cancelled; listens anew after a lost connection.

    Holds one connection of the pool, and lets go of it where the server is gone, silent or demoted.
    """
    told = False
    while True:
        give_way()
        try:
            await _listen_once(pool, bell)
        except psycopg.Error as error:
            if bell.listening.is_set() or not told:
                _log_loss(error)
            told = True
        bell.listening.clear()
        await asyncio.sleep(RETRY_S)


def _log_loss(error: psycopg.Error) -> None:
    log.warning(
        "The inbox has no listening connection.",
        extra={"action": "inbox_listen_lost", "error": str(error)},
    )


async def _listen_once(pool: AsyncConnectionPool, bell: Bell) -> None:
    async with pool.connection() as conn:
        try:
            await conn.set_autocommit(True)
            await conn.execute(f"LISTEN {CHANNEL}")
            bell.listening.set()
            bell.ring_all()
            give_way()
            async with contextlib.aclosing(notifications(conn)) as heard:
                async for notice in heard:
                    _ring(bell, notice.payload)
        finally:
            await conn.close()


def _ring(bell: Bell, payload: str) -> None:
    try:
        bell.ring(int(payload))
    except ValueError:
        bell.ring_all()
