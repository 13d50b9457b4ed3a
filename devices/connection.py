"""A database connection on which nothing is waited for without end.

A server that died is noticed by its closed socket. One that stands still is not: its host is cut
off, its disk hangs, a firewall forgot the connection. Statements would then wait for ever, and with
them whoever waits for their end.
"""

import asyncio
import os
import socket
from typing import TypeVar

from psycopg import AsyncConnection, OperationalError
from psycopg.abc import PQGen
from psycopg.rows import TupleRow

Result = TypeVar("Result")

PATIENCE_S = 30.0
"""Real seconds that the server may take for one answer: our longest statements take a few."""

_LOOK_EVERY_S = 0.1

_LIMITS = """
SELECT set_config('statement_timeout', %(ms)s, false),
       set_config('idle_in_transaction_session_timeout', %(idle_ms)s, false),
       set_config('tcp_keepalives_idle', '10', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false)
"""


class PunctualConnection(AsyncConnection[TupleRow]):
    """Hangs up, with OperationalError, when one answer takes longer than `patience_s` seconds."""

    patience_s = PATIENCE_S
    _hung_up = False

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = _LOOK_EVERY_S,
        timeout: float | None = None,  # noqa: ASYNC109 - psycopg's own
    ) -> Result:
        """Wait for what the server says next; `timeout` is for those who may hear nothing."""
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

        It may never learn that we are gone, and would keep a transaction open for hours.
        """
        ms = round(self.patience_s * 1_000)
        await self.execute(_LIMITS, {"ms": str(ms), "idle_ms": str(2 * ms)})
        await self.commit()

    def _hang_up(self) -> None:
        """Let the waiting read find the end of the connection, as if the server had closed it."""
        self._hung_up = True
        # A copy of the descriptor: the socket itself stays libpq's to close.
        with socket.socket(fileno=os.dup(self.pgconn.socket)) as sock:
            sock.shutdown(socket.SHUT_RDWR)
