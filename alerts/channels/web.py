"""The inbox on the web: it reads the database, so a committed row is there; pages are woken."""

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from alerts.channels.base import Delivered, Notification, Result, Retry
from alerts.handling import wake_inboxes


class WebChannel:
    """Delivered when the wake-up of the member's open pages is committed."""

    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def send(self, notification: Notification) -> Result:
        """Wake the member's inbox; Retry while the database is away."""
        try:
            async with self._pool.connection() as conn:
                await wake_inboxes(conn, [notification.member])
        except (psycopg.OperationalError, PoolTimeout) as error:
            return Retry(f"database: {type(error).__name__}")
        return Delivered()

    async def close(self) -> None:
        """The pool is its owner's to close."""
