"""A database connection on which nothing is waited for without end.

A server that died is noticed by its closed socket. One that stands still is not: its host is cut
off, its disk hangs, a firewall forgot the connection. Statements would then wait for ever, and with
them whoever waits for their end. And one that answers may be the wrong one by now: after a failover
what was the primary takes no writes any more.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, TypeVar

from psycopg import AsyncConnection, Error, Notify, OperationalError
from psycopg.abc import PQGen
from psycopg.rows import TupleRow, tuple_row

from devices.cancelling import give_way

Result = TypeVar("Result")

PATIENCE_S = 30.0
"""Real seconds that the server may take for one answer: our longest statements take a few."""

CONNECT_TIMEOUT_S = 5
"""Real seconds that each host of the URL may take to let us in."""

LOOK_EVERY_S = 5.0
"""Real seconds after which who only listens asks whether the server is still there."""

READ_ONLY_S = 2.0
"""Real seconds after which a pool tries anew to get a connection that may write."""

_LOOK_EVERY_S = 0.1

_LIMITS = """
SELECT set_config('statement_timeout', %(ms)s, false),
       set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false),
       set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false)
"""
_OWN = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = """
SELECT pg_terminate_backend(pid, %(ms)s) FROM pg_stat_activity
WHERE pid = %(pid)s AND backend_start = %(since)s
"""


class Backend(NamedTuple):
    """The server's side of a connection: its process, and since when, as ids are used again."""

    pid: int
    since: datetime


class PunctualConnection(AsyncConnection[TupleRow]):
    """Hangs up, with OperationalError, when one answer takes longer than `patience_s` seconds."""

    patience_s = PATIENCE_S
    backend: Backend | None = None
    """Known once `limit` was called."""
    _left: ClassVar[set[Backend]] = set()
    """Sessions that this process has hung up on, and that may not know of it."""
    _hung_up = False
    _began = 0.0

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = _LOOK_EVERY_S,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own
    ) -> Result:
        """Wait for what the server says next; who may hear nothing gives a shorter `timeout`."""
        deadline = asyncio.get_running_loop().call_later(self.patience_s, self._hang_up)
        try:
            return await super().wait(gen, interval, timeout)
        except OperationalError as error:
            if not self._hung_up:
                raise
            raise OperationalError(
                f"the database gave no answer within {self.patience_s:g} s"
            ) from error
        finally:
            deadline.cancel()

    async def limit(self) -> None:
        """Have the server end what it does for us once we have hung up, and let go of its locks.

        It may never learn that we are gone, and would keep a transaction open for hours; in the
        middle of a COPY no limit of its own ends that. So each new connection also ends the
        sessions that this process has hung up on, where they are on its server.
        """
        self._began = asyncio.get_running_loop().time()
        ms = round(self.patience_s * 1_000)
        await self.execute(_LIMITS, {"ms": str(ms), "idle_ms": str(2 * ms)})
        async with self.cursor(row_factory=tuple_row) as cursor:
            own = await (await cursor.execute(_OWN)).fetchone()
        self.backend = None if own is None else Backend(*own)
        for left in tuple(self._left):
            await self.end(left)
            self._left.discard(left)
        await self.commit()

    async def end(self, backend: Backend, *, wait_s: float = 0.0) -> None:
        """End another session of our own user, if it is there; wait for its end, but no longer."""
        at_most = min(wait_s, self.patience_s / 2)
        await self.execute(_END, {**backend._asdict(), "ms": round(at_most * 1_000)})

    async def check(self) -> None:
        """Raise OperationalError where another connection would do better: for a pool.

        So it is where the server does not answer, or does not let this session write: it became a
        standby, or was set read-only. Where no other server is found a session that can only read
        is good for `READ_ONLY_S`.
        """
        autocommit = self.autocommit
        await self.set_autocommit(True)  # else it would begin a transaction
        try:
            barred = await is_read_only(self)
        finally:
            with suppress(Error):
                await self.set_autocommit(autocommit)
        if barred and asyncio.get_running_loop().time() - self._began >= READ_ONLY_S:
            await self.close()
            raise OperationalError("the session can only read; looking for one that may write")

    def _hang_up(self) -> None:
        """Let the waiting read find the end of the connection, as if the server had closed it."""
        self._hung_up = True
        if self.backend is not None:
            self._left.add(self.backend)
        # A copy of the descriptor: the socket itself stays libpq's to close.
        with socket.socket(fileno=os.dup(self.pgconn.socket)) as sock:
            sock.shutdown(socket.SHUT_RDWR)


async def is_read_only(conn: AsyncConnection[Any]) -> bool:
    """Whether the server lets this session only read; as libpq's target_session_attrs asks it."""
    async with conn.cursor(row_factory=tuple_row) as cursor:
        row = await (await cursor.execute("SHOW transaction_read_only", prepare=False)).fetchone()
    return row is not None and row[0] == "on"


async def notifications(
    conn: AsyncConnection[Any], *, every_s: float = LOOK_EVERY_S
) -> AsyncGenerator[Notify, None]:
    """What this connection (autocommit on, LISTEN done) hears, until it is of no use any more.

    OperationalError when the server is gone or silent, or when what it lets the session do has
    changed: another one may be the primary now. It is asked every `every_s` real seconds.
    """
    began = await is_read_only(conn)
    while True:
        give_way()
        async with aclosing(conn.notifies(timeout=every_s)) as heard:
            async for notice in heard:
                yield notice
        await ensure_same(conn, read_only=began)


async def ensure_same(conn: AsyncConnection[Any], *, read_only: bool) -> None:
    """Raise OperationalError if the session may write now and could not, or the reverse."""
    if await is_read_only(conn) != read_only:
        may = "may write" if read_only else "can only read"
        raise OperationalError(f"the session {may} now: the server changed its part")
