"""An estate in a fresh database, and the queries that tests look at it with."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import pytest
from psycopg import AsyncConnection, sql
from psycopg.rows import dict_row

from alerts import store
from rules.transition import Transition
from tests.alerts.estate import INVENTORY, NOW, ROSTER, settle

Connection: TypeAlias = AsyncConnection[Any]


class Estate:
    """The estate's database, through one connection; every act is a transaction of its own."""

    def __init__(self, connection: Connection) -> None:
        self.conn = connection

    async def apply(self, *transitions: Transition, seq: int = 1, now: int = NOW) -> list[int]:
        """Apply in one committed transaction; ids of the alerts opened."""
        async with self.conn.transaction():
            return await store.apply(
                self.conn, transitions, INVENTORY, ROSTER, shard=0, seq=seq, now=now
            )

    async def rows(self, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
        """What a query finds."""
        async with self.conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchall()

    async def column(self, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        """The first column of what a query finds."""
        return [next(iter(row.values())) for row in await self.rows(query, parameters)]

    async def everything(self) -> dict[str, list[dict[str, Any]]]:
        """Every row that alerts have written, without the cursor."""
        tables = (
            "alerts",
            "alert_transitions",
            "alert_events",
            "alert_recipients",
            "notifications",
            "downlinks",
        )
        return {table: await self._table(table) for table in tables}

    async def _table(self, name: str) -> list[dict[str, Any]]:
        query = sql.SQL("SELECT t.* FROM {} t ORDER BY t::text").format(sql.Identifier(name))
        async with self.conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query)
            return await cursor.fetchall()


@pytest.fixture
async def estate(connection: Connection) -> Estate:
    """The estate, settled; its connection commits by itself outside `transaction()`."""
    await connection.set_autocommit(True)
    await settle(connection)
    return Estate(connection)
