"""Who answers for what, as the database has it."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row

from alerts.model import Duty, Member, Roster
from alerts.query import query
from devices.instant import to_micros

Connection: TypeAlias = AsyncConnection[Any]


async def load_roster(conn: Connection) -> Roster:
    """Members in service and their duties of all times."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("members"))
        members = [
            Member(r["id"], r["code"], r["name"], r["language"]) for r in await cursor.fetchall()
        ]
    return Roster({m.id: m for m in members}, await load_duties(conn, "duties"))


async def load_duties(
    conn: Connection, name: str, parameters: Mapping[str, Any] | None = None
) -> tuple[Duty, ...]:
    """The duties that the named query finds."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query(name), parameters)
        return tuple(_duty(r) for r in await cursor.fetchall())


def _duty(row: Mapping[str, Any]) -> Duty:
    categories = row["categories"]
    return Duty(
        member=row["member_id"],
        area=row["area_id"],
        role=row["role"],
        categories=None if categories is None else frozenset(categories),
        valid_from=to_micros(row["valid_from"]),
        valid_to=None if row["valid_to"] is None else to_micros(row["valid_to"]),
    )
