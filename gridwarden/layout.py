"""The layout in force: into how many shards the communities are divided, as the database knows it.

The first worker writes it down; a worker of another layout is refused, for two layouts at once
would hear and judge some communities twice and others never. `gridwarden reshard` changes it.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import class_row

from gridwarden.errors import ShardError
from gridwarden.shard import Shard

Connection: TypeAlias = AsyncConnection[Any]

_READ = "SELECT shards, going_to, came_from, mark FROM shard_layout"
_FIRST = "INSERT INTO shard_layout (shards) VALUES (%s) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class Layout:
    """shards: in force · going_to, came_from, mark: a change that is not finished; see 0016."""

    shards: int
    going_to: int | None = None
    came_from: int | None = None
    mark: str | None = None

    @property
    def unfinished(self) -> int | None:
        """How many shards a change that is not finished leads to."""
        return self.shards if self.came_from is not None else self.going_to


async def read_layout(conn: Connection) -> Layout | None:
    """The layout; None before the first worker, or where the schema does not know of layouts."""
    try:
        async with conn.transaction(), conn.cursor(row_factory=class_row(Layout)) as cursor:
            return await (await cursor.execute(_READ)).fetchone()
    except psycopg.errors.UndefinedTable:
        return None


async def check_layout(conn: Connection, shard: Shard) -> None:
    """ShardError where a worker of this shard must not run, with what to do."""
    layout = await read_layout(conn)
    if layout is None:
        return
    if layout.unfinished is not None:
        raise ShardError(
            f"a change to {layout.unfinished} shards is not finished; "
            f"run `gridwarden reshard {layout.unfinished}`, then the workers"
        )
    if layout.shards != shard.of:
        raise ShardError(
            f"the database is laid out for {_workers(layout.shards)}, this one was started as "
            f"shard {shard}; start it as {_wanted(layout.shards)}, or stop all workers and run "
            f"`gridwarden reshard {shard.of}`"
        )


async def record_layout(conn: Connection, shard: Shard) -> None:
    """Write the layout down if there is none yet; ShardError where there is another."""
    await conn.execute(_FIRST, (shard.of,))
    await check_layout(conn, shard)


def _workers(shards: int) -> str:
    return "1 worker" if shards == 1 else f"{shards} workers"


def _wanted(shards: int) -> str:
    return "`gridwarden run`" if shards == 1 else f"`gridwarden run --shard i/{shards}`"
