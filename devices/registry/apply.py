"""Applying a site: plan what changes, carry it out in bulk, number it, tell the running service."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, TypeAlias

import orjson
import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from devices.instant import Micros, to_datetime
from devices.metric import BY_ID
from devices.registry.statements import statement
from devices.registry.stored import read_registered
from devices.site.changes import RuleText, SiteChange, SitePlan, plan
from devices.site.duty_changes import DutyRow
from devices.site.fields import Section
from devices.site.model import Site

Connection: TypeAlias = psycopg.AsyncConnection[Any]

_LOCK = 0x67726964_73697465
PORTION = 50_000
"""Rows that travel together: a JSON value holds 256 MiB at most."""
RECORDED = 100_000
"""Changes that are recorded one by one with a version; of more their number."""
_WRITTEN = (Section.AREA, Section.HOUSEHOLD, Section.DEVICE, Section.MEMBER)
_RETIRED = (Section.DEVICE, Section.HOUSEHOLD, Section.AREA, Section.MEMBER)


async def lock_site(conn: Connection) -> None:
    """Waits until no other transaction applies a site; holds until this transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


async def plan_changes(
    conn: Connection, site: Site, now: Micros, *, rules: Sequence[RuleText] | None = None
) -> list[SiteChange]:
    """What `apply_site` would change; nothing is written. Arguments as there."""
    return list(plan(await read_registered(conn), site, rules, now).changes)


async def apply_site(
    conn: Connection, site: Site, now: Micros, *, rules: Sequence[RuleText] | None = None
) -> int:
    """Makes the registry say what the site says; returns the site's version number.

    The same site again changes nothing and keeps its version. `now` (µs since the Unix epoch, UTC)
    dates the changes. `rules` are all rules in force from now on; None leaves them as they are.
    Listeners on gridwarden_site hear the new version after the caller's commit.
    """
    await lock_site(conn)
    registered = await read_registered(conn)
    todo = plan(registered, site, rules, now)
    await _run(conn, "write_metrics", _metrics())
    await _run(conn, "move_rules", todo.rules.moved)
    if not todo.changes:
        return registered.version
    moment = to_datetime(now)
    await _carry_out(conn, todo, moment)
    version = await _number(conn, site, todo.changes, moment)
    await conn.execute("SELECT pg_notify('gridwarden_site', %s)", [str(version)])
    return version


async def _carry_out(conn: Connection, todo: SitePlan, now: datetime) -> None:
    for section in _WRITTEN:
        await _run(conn, f"write_{section}", todo.written[section])
    await _run(conn, "link_areas", todo.written[Section.AREA])
    await _run(conn, "link_devices", todo.written[Section.DEVICE])
    for dated in ("placements", "addresses"):
        await _run(conn, f"end_{dated}", todo.written[Section.DEVICE], now=now)
        await _run(conn, f"begin_{dated}", todo.written[Section.DEVICE], now=now)
    await conn.execute(
        statement("end_duties"), {"ids": [duty.id for duty in todo.duties.ended], "now": now}
    )
    await _run(conn, "begin_duties", [_duty(row) for row in todo.duties.begun])
    await conn.execute(statement("end_rules"), {"codes": list(todo.rules.ended), "now": now})
    await _run(conn, "begin_rules", todo.rules.begun, now=now)
    for section in _RETIRED:
        codes = list(todo.retired[section])
        await conn.execute(statement(f"retire_{section}"), {"codes": codes, "now": now})


async def _run(conn: Connection, name: str, rows: Sequence[object], **more: datetime) -> None:
    """A statement for all rows, which travel as JSON, in portions."""
    for start in range(0, len(rows), PORTION):
        portion = rows[start : start + PORTION]
        await conn.execute(statement(name), {"rows": _jsonb(portion), **more})


async def _number(
    conn: Connection, site: Site, changes: Sequence[SiteChange], now: datetime
) -> int:
    recorded: list[object] = list(changes[:RECORDED])
    if len(changes) > RECORDED:
        recorded.append({"more": len(changes) - RECORDED})
    values = {
        "now": now,
        "name": _jsonb(dict(site.name)),
        "time_zone": site.time_zone,
        "changes": _jsonb(recorded),
    }
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(statement("write_version"), values)
        ((version,),) = await cursor.fetchall()
    return int(version)


def _duty(row: DutyRow) -> dict[str, Any]:
    ends = None if row.valid_to is None else to_datetime(row.valid_to)
    categories = None if row.categories is None else sorted(row.categories)
    return asdict(row) | {
        "categories": categories,
        "valid_from": to_datetime(row.valid_from),
        "valid_to": ends,
    }


def _metrics() -> list[dict[str, Any]]:
    return [
        asdict(metric) | {"label": {"zh": metric.zh, "en": metric.en}} for metric in BY_ID.values()
    ]


def _jsonb(value: object) -> Jsonb:
    return Jsonb(value, dumps=orjson.dumps)
