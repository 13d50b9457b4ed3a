"""The inventory that decoding, rules and routing read, from the database."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import tuple_row

from devices.gathering import PORTION, DevicesBuilder, HouseholdsBuilder
from devices.inventory import Area, Inventory
from devices.registry.statements import statement
from devices.registry.stored import read_version

Connection: TypeAlias = psycopg.AsyncConnection[Any]
Row: TypeAlias = tuple[Any, ...]


async def load_inventory(conn: Connection) -> Inventory:
    """All that is in service: nothing retired. Its version is 0 before any site was applied.

    Rows are read in portions and kept as columns: a site of a million devices is never in memory
    as a million rows. All of it is read in one transaction, the caller's if there is one.
    """
    async with conn.transaction():
        version, _ = await read_version(conn)
        areas: dict[int, Area] = {}
        await _stream(conn, "inventory_areas", lambda rows: _note(areas, rows))
        households, devices = HouseholdsBuilder(), DevicesBuilder()
        await _stream(conn, "inventory_households", households.extend)
        await _stream(conn, "inventory_devices", devices.extend)
    return Inventory(version, areas, households.columns(), devices.columns())


def _note(areas: dict[int, Area], rows: Sequence[Row]) -> None:
    areas.update((row[0], Area(*row)) for row in rows)


async def _stream(conn: Connection, name: str, take: Callable[[Sequence[Row]], None]) -> None:
    """Hand over what the statement gives, portion by portion."""
    async with conn.cursor(name, row_factory=tuple_row) as cursor:
        await cursor.execute(statement(name), binary=True)
        while rows := await cursor.fetchmany(PORTION):
            take(rows)
