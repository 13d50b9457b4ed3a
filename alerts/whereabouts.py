"""Places that have left the inventory: what is retired still was somewhere, and is looked up."""

from collections.abc import Iterable
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from alerts.query import query
from devices.inventory import Area, Device, Household, Inventory
from rules.model import SubjectKind
from rules.transition import Subject

Connection: TypeAlias = AsyncConnection[Any]


async def complete(
    conn: Connection, inventory: Inventory, subjects: Iterable[Subject]
) -> Inventory:
    """These subjects and the places they lie in: the inventory, where it has all of them.

    Else an inventory of its areas, these subjects and their homes, with what is retired of them.
    """
    wanted = set(subjects)
    if all(_known(inventory, subject) for subject in wanted):
        return inventory
    ids = {kind: {s.id for s in wanted if s.kind is kind} for kind in SubjectKind}
    asked, homes = ids[SubjectKind.DEVICE], ids[SubjectKind.HOUSEHOLD]
    devices = [inventory.devices[i] for i in asked if i in inventory.devices]
    devices += await _devices(conn, {i for i in asked if i not in inventory.devices})
    homes |= {d.household for d in devices if d.household is not None}
    households = [inventory.households[i] for i in homes if i in inventory.households]
    households += await _households(conn, {i for i in homes if i not in inventory.households})
    places = ids[SubjectKind.AREA] | {d.area for d in devices} | {h.area for h in households}
    areas = await _areas(conn, places - inventory.areas.keys())
    return Inventory.of(
        [*areas, *inventory.areas.values()], households, devices, version=inventory.version
    )


def _known(inventory: Inventory, subject: Subject) -> bool:
    match subject.kind:
        case SubjectKind.DEVICE:
            return subject.id in inventory.devices
        case SubjectKind.HOUSEHOLD:
            return subject.id in inventory.households
        case SubjectKind.AREA:
            return subject.id in inventory.areas


async def _rows(conn: Connection, name: str, ids: set[int]) -> list[dict[str, Any]]:
    if not ids:
        return []
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(name), {"ids": list(ids)})
        return await cursor.fetchall()


async def _devices(conn: Connection, ids: set[int]) -> list[Device]:
    return [
        Device(
            id=r["id"],
            code=r["code"],
            community=r["community"],
            kind=r["kind"],
            area=r["area_id"],
            household=r["household_id"],
            interval=r["interval_us"],
            metrics=tuple(r["metrics"]),
            name=r["name"],
        )
        for r in await _rows(conn, "lost_devices", ids)
    ]


async def _households(conn: Connection, ids: set[int]) -> list[Household]:
    return [
        Household(r["id"], r["code"], r["area_id"], r["name"], r["care"], r["away"])
        for r in await _rows(conn, "lost_households", ids)
    ]


async def _areas(conn: Connection, ids: set[int]) -> list[Area]:
    return [
        Area(r["id"], r["code"], r["kind"], r["parent_id"], r["name"])
        for r in await _rows(conn, "lost_areas", ids)
    ]
