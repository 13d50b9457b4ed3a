"""The inventory that decoding, rules and routing read, from the database."""

from typing import Any, TypeAlias

import psycopg
from psycopg.rows import tuple_row

from devices.inventory import Area, Device, Household, Inventory
from devices.registry.statements import statement
from devices.registry.stored import read_version

Connection: TypeAlias = psycopg.AsyncConnection[Any]


async def load_inventory(conn: Connection) -> Inventory:
    """All that is in service: nothing retired. Its version is 0 before any site was applied."""
    version, _ = await read_version(conn)
    areas = [Area(*row) for row in await _rows(conn, "inventory_areas")]
    households = [Household(*row) for row in await _rows(conn, "inventory_households")]
    devices = [_device(row) for row in await _rows(conn, "inventory_devices")]
    return Inventory.of(areas, households, devices, version=version)


async def _rows(conn: Connection, name: str) -> list[tuple[Any, ...]]:
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement(name))
        return await cursor.fetchall()


def _device(row: tuple[Any, ...]) -> Device:
    fields = ("id", "code", "community", "kind", "area", "household", "interval", "metrics")
    more = ("name", "attributes", "address", "gateway")
    values = dict(zip(fields + more, row, strict=True))
    return Device(**values | {"metrics": tuple(values["metrics"])})
