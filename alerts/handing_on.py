"""Alerts that have lost their person, or never had one, brought to whoever answers for them now.

A member may leave the service with alerts in hand, and a duty may begin after an alert was raised
to nobody. An alert whose holder left is open again: a word counts while somebody stands by it.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.effects import Row, recipient_row, routed_row
from alerts.handling import wake_inboxes
from alerts.message import Telling, notifications
from alerts.model import AlertState, Roster, RouteReason
from alerts.place import Place, locate
from alerts.query import query
from alerts.routing import Route, by_area, officers, route
from alerts.whereabouts import complete
from devices.instant import Micros, to_micros
from devices.inventory import Inventory
from rules.model import SubjectKind
from rules.transition import Subject

log = logging.getLogger(__name__)

Connection: TypeAlias = AsyncConnection[Any]

HANDED_ON = "handed_on"
"""The kind of the history line, and with the instant the occasion of the messages."""


def _everybodys(_community: str) -> bool:
    return True


async def hand_on(
    conn: Connection,
    inventory: Inventory,
    roster: Roster,
    *,
    now: Micros,
    ours: Callable[[str], bool] = _everybodys,
) -> list[int]:
    """Route anew what stands and is nobody's, in the caller's transaction; the ids of what moved.

    now: the service's time, µs since epoch, UTC. What nobody answers for now either stays as it is,
    unless somebody had it: then that is over, and the duty officers hear of it. ours: whether a
    community, by its code ('': none), is this process's; two that had the same would tell it twice.
    """
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("orphans"))
        orphans = [row for row in await cursor.fetchall() if ours(row["community"])]
    if not orphans:
        return []
    known = await complete(conn, inventory, {_subject(row) for row in orphans})
    duties, moved = by_area(roster.duties), []
    for row in orphans:
        place = locate(_subject(row), known)
        near = (duty for area in place.path for duty in duties.get(area, ()))
        found = route(place.path, row["category"], near, now)
        if found.recipients or row["state"] == AlertState.ACKNOWLEDGED:
            await _move(conn, row, place, found, roster, now)
            moved.append(row["id"])
    return moved


async def _move(  # noqa: PLR0917 - what, where, to whom, when
    conn: Connection,
    row: Row,
    place: Place,
    found: Route,
    roster: Roster,
    now: Micros,
) -> None:
    alert = row["id"]
    known = {*(r.member for r in found.recipients), *(row["members"] or ())}
    members = sorted(known or officers(roster.duties, now))
    told = notifications(
        _telling(row),
        place,
        alert=alert,
        occasion=f"{HANDED_ON}:{now}",
        members=[roster.members[m] for m in members if m in roster.members],
        now=now,
    )
    history = routed_row(alert, found, now, kind=HANDED_ON)
    await conn.execute(query("hand_on"), {"alert": alert, "reason": found.reason.value})
    await _each(conn, "write_history", [history])
    await _each(conn, "add_recipient", [recipient_row(alert, r) for r in found.recipients])
    await _each(conn, "queue_notification", told)
    await conn.execute(query("wake_outbox"))
    await wake_inboxes(conn, members)
    _report(row, found)


async def _each(conn: Connection, name: str, rows: Sequence[Row]) -> None:
    async with conn.cursor() as cursor:
        for row in rows:
            adapted = {k: Jsonb(v) if isinstance(v, dict) else v for k, v in row.items()}
            await cursor.execute(query(name), adapted)


def _report(row: Row, found: Route) -> None:
    extra = {"alert": row["id"], "rule": row["rule_code"], "severity": row["severity"]}
    if found.reason is RouteReason.NOBODY and not row["members"]:
        action = {"action": "alert.nobody_responsible"}
        log.error("Nobody is responsible for an alert.", extra=action | extra)
    else:
        log.info("An alert was handed on.", extra={"action": "alert.handed_on"} | extra)


def _subject(row: Row) -> Subject:
    return Subject(SubjectKind(row["subject_kind"]), row["subject_id"])


def _telling(row: Row) -> Telling:
    return Telling(
        rule=row["rule_code"],
        severity=row["severity"],
        category=row["category"],
        title=row["title"],
        plain_title=row["plain_title"],
        subject=_subject(row),
        since=to_micros(row["since"]),
        value=row["value"],
    )
