"""Effects of transitions, in the caller's transaction: alerts, history, recipients, outbox, cursor.

Applying the same transitions again writes nothing: each is remembered in `alert_transitions`, and a
shard's effects are serialised by its cursor's row. What two shards would both write (each community
belongs to one, so nothing does) fails on a unique key and is repeated by the caller.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, tzinfo
from functools import cache
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts.answering import answer
from alerts.downlink import to_tell
from alerts.effects import Row, Rows, Setting, rows_of
from alerts.fold import Condition, Folded, Key, Mark, Picture, fold, key_of
from alerts.handing_on import hand_on
from alerts.handling import acknowledge, close, sees, wake_inboxes
from alerts.model import AlertState, Roster
from alerts.place import Place, locate
from alerts.query import query
from alerts.roster import load_roster
from alerts.routing import Route, by_area, officers, route
from alerts.texts import texts_of
from alerts.whereabouts import complete
from devices.instant import Micros, to_datetime, to_micros
from devices.inventory import Inventory
from rules.model import Severity, SubjectKind
from rules.transition import Change, Subject, Transition

__all__ = ["acknowledge", "apply", "close", "hand_on", "load_roster", "sees"]

log = logging.getLogger(__name__)

Connection: TypeAlias = AsyncConnection[Any]

_STATEMENTS = {
    "changed": "change_alert",
    "opened": "open_alert",
    "told": "tell",
    "history": "write_history",
    "recipients": "add_recipient",
    "notifications": "queue_notification",
}


async def apply(
    conn: Connection,
    transitions: Sequence[Transition],
    inventory: Inventory,
    roster: Roster,
    *,
    shard: int,
    seq: int,
    now: Micros,
    zone: tzinfo = UTC,
) -> list[int]:
    """Write what these transitions cause and move the shard's cursor to `seq`, never back.

    now: the service's time, µs since epoch, UTC; who is on duty is asked for that instant. zone: in
    which texts tell the time. Returns the ids of the alerts opened. psycopg.errors.UniqueViolation
    where another shard wrote the same.
    """
    await conn.execute(query("move_cursor"), {"shard": shard, "seq": seq})
    if not transitions:
        return []
    known = await complete(conn, inventory, {t.subject for t in transitions})
    placed = [t for t in transitions if _has_place(t, known)]
    folded = fold(placed, await _read_picture(conn, placed))
    if not folded.told:
        return []
    folded = await _number(conn, folded)
    recipients = await _read_recipients(conn, folded.conditions)
    rows = rows_of(folded, _setting(known, roster, recipients, now, zone))
    await _write(conn, rows)
    await answer(conn, to_tell(folded), now)
    await _wake(conn, rows, recipients)
    _report(rows)
    return [row["id"] for row in rows.opened]


def _setting(
    inventory: Inventory,
    roster: Roster,
    recipients: Mapping[int, Sequence[int]],
    now: Micros,
    zone: tzinfo,
) -> Setting:
    duties = by_area(roster.duties)

    @cache
    def place(subject: Subject) -> Place:
        return locate(subject, inventory)

    @cache
    def routed(path: tuple[int, ...], category: str) -> Route:
        return route(path, category, (d for area in path for d in duties.get(area, ())), now)

    def names(transition: Transition) -> list[Mapping[str, str]]:
        found = (inventory.devices.get(i) for i in transition.devices)
        return [device.name for device in found if device is not None]

    return Setting(
        place=lambda t: place(t.subject),
        texts=lambda t: texts_of(t, place(t.subject), names(t), zone),
        route=lambda t: routed(place(t.subject).path, t.rule.category),
        roster=roster,
        recipients=recipients,
        officers=officers(roster.duties, now),
        now=now,
    )


def _has_place(transition: Transition, inventory: Inventory) -> bool:
    subject = transition.subject
    try:
        locate(subject, inventory)
    except KeyError:
        log.error(  # noqa: TRY400 - the place is missing, the trace says nothing
            "A rule's subject is nowhere in the database; its transition is dropped.",
            extra={
                "action": "alert.place_unknown",
                "rule": transition.rule.code,
                "subject_kind": subject.kind.value,
                "subject_id": subject.id,
            },
        )
        return False
    return True


async def _read_picture(conn: Connection, transitions: Sequence[Transition]) -> Picture:
    keys = {key_of(t) for t in transitions}
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("standing"), _columns(keys))
        standing = await cursor.fetchall()
        spans = {(key_of(t), t.since) for t in transitions}
        sinces = [to_datetime(since) for _, since in spans]
        await cursor.execute(
            query("told"), {**_columns([key for key, _ in spans]), "sinces": sinces}
        )
        told = await cursor.fetchall()
    return Picture(
        standing={_key(r): r["id"] for r in standing},
        conditions={r["id"]: _condition(r) for r in standing},
        told={_mark(r): r["alert_id"] for r in told},
        withdrawn=frozenset(r["alert_id"] for r in told if r["withdrawn"]),
    )


def _columns(keys: Iterable[Key]) -> dict[str, list[Any]]:
    rows = list(keys)
    return {
        "rules": [k.rule for k in rows],
        "kinds": [k.subject.kind.value for k in rows],
        "subjects": [k.subject.id for k in rows],
    }


def _key(row: Row) -> Key:
    return Key(row["rule_code"], Subject(SubjectKind(row["subject_kind"]), row["subject_id"]))


def _mark(row: Row) -> Mark:
    return Mark(_key(row), Change(row["change"]), to_micros(row["since"]), to_micros(row["at"]))


def _condition(row: Row) -> Condition:
    instants = {
        name: None if row[name] is None else to_micros(row[name])
        for name in ("silent_since", "cleared_at", "closed_at")
    }
    state, severity = AlertState(row["state"]), Severity(row["severity"])
    return Condition(state, severity, outcome=row["outcome"], **instants)


async def _number(conn: Connection, folded: Folded) -> Folded:
    new = [e.alert for e in folded.effects if e.opens]
    if not new:
        return folded
    cursor = await conn.execute(query("new_ids"), {"count": len(new)})
    ids = [row[0] for row in await cursor.fetchall()]
    return folded.numbered(dict(zip(new, ids, strict=True)))


async def _read_recipients(conn: Connection, alerts: Iterable[int]) -> dict[int, list[int]]:
    found: defaultdict[int, list[int]] = defaultdict(list)
    cursor = await conn.execute(query("recipients"), {"alerts": list(alerts)})
    for alert, member in await cursor.fetchall():
        found[alert].append(member)
    return found


async def _write(conn: Connection, rows: Rows) -> None:
    async with conn.cursor() as cursor:
        for rows_of_kind, statement in _STATEMENTS.items():
            if written := getattr(rows, rows_of_kind):
                await cursor.executemany(query(statement), [_adapted(row) for row in written])


def _adapted(row: Row) -> dict[str, Any]:
    return {k: Jsonb(v) if isinstance(v, dict) else v for k, v in row.items()}


async def _wake(conn: Connection, rows: Rows, recipients: Mapping[int, Sequence[int]]) -> None:
    if rows.notifications:
        await conn.execute(query("wake_outbox"))
    members = {m for told in recipients.values() for m in told}
    members |= {row["member_id"] for row in (*rows.recipients, *rows.notifications)}
    await wake_inboxes(conn, members)


def _report(rows: Rows) -> None:
    for row in rows.opened:
        extra = {"action": "alert.opened", "alert": row["id"], "rule": row["rule_code"]}
        log.info("An alert was opened.", extra={**extra, "severity": row["severity"]})
    for row in rows.unanswered:
        extra = {"action": "alert.nobody_responsible", **row}
        log.error("Nobody is responsible for an alert.", extra=extra)
