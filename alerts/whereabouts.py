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
    """The inventory and whatever of these subjects, and of the places they lie in, it lacks."""
    wanted = set(subjects)
    if all(_known(inventory, subject) for subject in wanted):
        return inventory
    devices = await _devices(conn, _lost(wanted, SubjectKind.DEVICE, inventory.devices))
    homes = _lost(wanted, SubjectKind.HOUSEHOLD, inventory.households)
    homes |= {d.household for d in devices if d.household is not None}
    households = await _households(conn, homes - set(inventory.households))
    places = _lost(wanted, SubjectKind.AREA, inventory.areas)
    places |= {d.area for d in devices} | {h.area for h in households}
    areas = await _areas(conn, places - set(inventory.areas))
    return Inventory.of(
        [*areas, *inventory.areas.values()],
        [*inventory.households.values(), *households],
        [*inventory.devices.values(), *devices],
        version=inventory.version,
    )


def _known(inventory: Inventory, subject: Subject) -> bool:
    match subject.kind:
        case SubjectKind.DEVICE:
            return subject.id in inventory.devices
        case SubjectKind.HOUSEHOLD:
            return subject.id in inventory.households
        case SubjectKind.AREA:
            return subject.id in inventory.areas


def _lost(subjects: Iterable[Subject], kind: SubjectKind, known: Iterable[int]) -> set[int]:
    return {s.id for s in subjects if s.kind is kind} - set(known)


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
