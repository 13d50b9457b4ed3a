"""What the registry holds, in terms of codes, to be compared with a site."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import psycopg
from psycopg.rows import DictRow, dict_row

from devices.instant import to_micros
from devices.registry.statements import statement
from devices.site.changes import Registered, RuleText, Stored
from devices.site.duty_changes import DutyRow, StoredDuty
from devices.site.fields import Fields, Section

Connection: TypeAlias = psycopg.AsyncConnection[Any]

_READ = {
    Section.AREA: "read_areas",
    Section.HOUSEHOLD: "read_households",
    Section.DEVICE: "read_devices",
    Section.MEMBER: "read_members",
}


async def read_registered(conn: Connection) -> Registered:
    """Everything registered, retired things too."""
    version, site = await read_version(conn)
    entries = {section: await _entries(conn, name) for section, name in _READ.items()}
    duties = [_duty(row) for row in await _rows(conn, "read_duties")]
    rules = {row["code"]: RuleText(**row) for row in await _rows(conn, "read_rules")}
    return Registered(version, site, entries, duties, rules)


async def read_version(conn: Connection) -> tuple[int, Fields | None]:
    """The last applied site's number, name and time zone; 0 and None before the first."""
    rows = await _rows(conn, "read_version")
    if not rows:
        return 0, None
    return rows[0]["version"], {key: rows[0][key] for key in ("name", "time_zone")}


async def _entries(conn: Connection, name: str) -> Mapping[str, Stored]:
    stored = (_stored(row) for row in await _rows(conn, name))
    return {_key(entry.fields): entry for entry in stored}


def _stored(row: DictRow) -> Stored:
    retired = row.pop("retired")
    return Stored(row, retired)


def _key(fields: Fields) -> str:
    community, code = fields.get("community"), str(fields["code"])
    return f"{community}/{code}" if community else code


def _duty(row: DictRow) -> StoredDuty:
    categories = None if row["categories"] is None else frozenset(row["categories"])
    ends = None if row["valid_to"] is None else to_micros(row["valid_to"])
    begins = to_micros(row["valid_from"])
    who = row["member"], row["area"], row["role"]
    return StoredDuty(row["id"], DutyRow(*who, categories, begins, ends))


async def _rows(conn: Connection, name: str) -> list[DictRow]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement(name))
        return await cursor.fetchall()
