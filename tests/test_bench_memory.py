"""The database that the bench of memory fills quickly is the one that applying a site writes."""

from dataclasses import replace

from psycopg import AsyncConnection

from devices.inventory import Inventory
from devices.registry import load_inventory
from tests.bench_ingest.feed import apply
from tests.bench_memory import fill_rows
from tests.services.databases import Databases

DEVICES = 12


async def test_what_is_filled_in_is_what_is_applied(databases: Databases) -> None:
    applied, filled = databases.create(), databases.create()
    await apply(applied[1], DEVICES, rules=False)
    await apply(filled[1], 0, rules=False)
    fill_rows(filled[1], DEVICES)
    one, other = await _load(applied[1]), await _load(filled[1])
    assert len(one.devices) == DEVICES
    assert _told(one) == _told(other)
    for name, _ in (applied, filled):
        databases.drop(name)


async def _load(url: str) -> Inventory:
    async with await AsyncConnection.connect(url) as conn:
        return await load_inventory(conn)


def _told(inventory: Inventory) -> tuple[object, object]:
    """Devices and households by code; their ids are given in whatever order."""
    homes = inventory.households
    return {
        device.code: (replace(device, id=0, household=0), homes[device.household or 0].code)
        for device in inventory.devices.values()
    }, {home.code: replace(home, id=0) for home in homes.values()}
