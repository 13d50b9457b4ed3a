"""Why an alert was raised, from the database: the rule as it was, readings, timers, who was told.

An alert about care is shown to a member who may see it, and the look is on record, as in the inbox.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import psycopg
from psycopg.rows import class_row, dict_row, tuple_row
from psycopg.types.json import Jsonb

from alerts.model import CARE
from alerts.query import query
from alerts.store import sees
from alerts.web import queries
from alerts.web.rows import ToldRow
from devices.instant import DAY, HOUR, Micros, to_datetime, to_micros
from devices.inventory import Inventory
from devices.metric import BY_ID
from devices.reading import Batch
from devices.registry import load_inventory
from devices.token import NAMING, NOBODY
from gridwarden.errors import GridwardenError
from gridwarden.rejected import operator
from gridwarden.site_state import load_zone
from gridwarden.whom import whom
from ingest.binary_copy import FLOAT8, INT2, INT4, INT8, TIMESTAMP, decode, from_timestamp
from rules.account import (
    Account,
    Alert,
    account_for,
    heard_devices,
    holds,
    stretch_before,
    subject_plan,
    token_in,
    window_of,
)
from rules.errors import RulesError
from rules.loader import load
from rules.model import Absence, RiskIndex, Rule, SubjectKind
from rules.plan import Plan
from rules.transition import Subject

SQL = Path(__file__).parent / "sql"

LEAST_BEFORE: Micros = HOUR
LONGEST_BEFORE: Micros = 14 * DAY
"""Readings from so long before the span are judged again, at least and at most; our choice."""

_LAYOUT = (TIMESTAMP, TIMESTAMP, INT4, INT2, FLOAT8, INT8)

Connection: TypeAlias = psycopg.AsyncConnection[Any]


class NoSuchAlertError(GridwardenError):
    """There is no alert with this id."""


class LookRefusedError(GridwardenError):
    """The alert is about care, and nobody was named who may see it."""


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert's row; instants as the database has them."""

    id: int
    rule_code: str
    rule_fingerprint: str
    subject_kind: str
    subject_id: int
    since: datetime
    fired_at: datetime
    opened_at: datetime
    category: str
    severity: str
    title: dict[str, str]
    area_id: int
    household_id: int | None
    devices: list[int]
    metrics: list[int]
    value: float | None
    state: str
    silent_since: datetime | None
    cleared_at: datetime | None
    closed_at: datetime | None
    route_reason: str

    @property
    def subject(self) -> Subject:
        """What it is about."""
        return Subject(SubjectKind(self.subject_kind), self.subject_id)


@dataclass(frozen=True, slots=True)
class RuleThen:
    """The rule's text as it was, where it stood, and from when to when it was in force."""

    source: str
    line: int
    text: str
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Heard:
    """A reading. holds: whether the rule's condition on a value holds for it, None: it has none."""

    time: Micros
    arrival: Micros
    device: str
    metric: str
    value: float
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """All that is known of why an alert fired.

    readings: of the rule's metrics, from the last before the span until the alert · account: None
    where it cannot be replayed, and why_not says why · codes: of devices by id · condition: the
    kind of the rule, by the name of its class in `rules.model`, '' where it cannot be read ·
    beside: codes of the rules replayed with it · zone: the site's time zone.
    """

    alert: Raised
    place: str
    rule: RuleThen | None
    readings: Sequence[Heard]
    account: Account | None
    why_not: str
    codes: dict[int, str]
    told: Sequence[ToldRow]
    zone: tzinfo
    condition: str = ""
    unless: Sequence[str] = ()
    beside: Sequence[str] = ()


async def explain_alert(url: str, number: int, member: str | None, now: Micros) -> Explanation:
    """Why this alert was raised. NoSuchAlertError; LookRefusedError where it is about care.

    member: code of the one who looks · now: the service's time, µs since epoch, UTC.
    """
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        alert = await _alert(conn, number)
        if alert.category == CARE or member is not None:
            await _look(conn, alert, member, now)
        return await _explain(conn, alert)


async def _alert(conn: Connection, number: int) -> Raised:
    async with conn.cursor(row_factory=class_row(Raised)) as cursor:
        await cursor.execute(_sql("explain_alert"), {"alert": number})
        found = await cursor.fetchone()
    if found is None:
        raise NoSuchAlertError(f"there is no alert {number}")
    return found


async def _look(conn: Connection, alert: Raised, code: str | None, now: Micros) -> None:
    """Whether the member may see it; a look at care is then on record, before anything is shown."""
    if code is None:
        raise LookRefusedError(
            f"alert {alert.id} is about care: name the member who looks, --as CODE; the look is"
            " recorded"
        )
    member = await queries.find_member(conn, code=code)
    if member is None:
        raise LookRefusedError(f"--as {code!r}: no member in service has this code")
    if not await sees(conn, alert.id, member.id, now):
        raise LookRefusedError(
            f"refused: {code} may not see alert {alert.id}: neither told of it nor on duty for"
            f" {alert.category!r} at its place"
        )
    if alert.category == CARE:
        looked = {
            "now": to_datetime(now),
            "member": member.id,
            "action": queries.VIEWED,
            "alert": alert.id,
            "detail": Jsonb({"by": operator(), "command": "rules explain"}),
        }
        await conn.execute(query("write_audit"), looked)
        await conn.commit()


async def _explain(conn: Connection, alert: Raised) -> Explanation:
    then = await _rule_then(conn, alert)
    inventory = await load_inventory(conn)
    rule = None if then is None else _loaded(then)
    zone = await load_zone(conn)
    beside = [] if rule is None else await _beside(conn, alert, rule)
    plan = None if rule is None else subject_plan(rule, inventory, alert.subject, zone, beside)
    rows, account = Batch.empty(), None
    if rule is not None and plan is not None:
        start = to_micros(alert.since) - _before(plan)
        rows = await _readings(conn, heard_devices(plan), start, _end(alert))
        account = _account(rule, plan, rows, alert, start)
    else:
        start = to_micros(alert.since) - LEAST_BEFORE
        rows = await _readings(conn, alert.devices, start, _end(alert))
    near = [] if plan is None else heard_devices(plan)
    codes = await _codes(conn, {*alert.devices, *near, *rows.device.tolist()})
    return Explanation(
        alert,
        _place(alert, inventory, codes),
        then,
        _shown(rows, alert, rule, plan, codes),
        account,
        _why_not(then, rule, plan),
        codes,
        await queries.told(conn, alert.id),
        zone,
        "" if rule is None else type(rule.condition).__name__,
        () if rule is None else rule.unless,
        () if plan is None else [own.rule.code for own in plan.rules[1:]],
    )


def _account(rule: Rule, plan: Plan, rows: Batch, alert: Raised, start: Micros) -> Account:
    """An absence that began with no reading began when the rule or its subject became known."""
    span = _span(alert)
    heard = np.maximum(rows.time, rows.arrival)
    if isinstance(rule.condition, Absence) and not (heard == span.since).any():
        start = span.since
        rows = rows.take(heard >= start)
    return account_for(plan, rows, span, start, _end(alert))


def _span(alert: Raised) -> Alert:
    return Alert(alert.subject, to_micros(alert.since), to_micros(alert.fired_at))


def _end(alert: Raised) -> Micros:
    """What the service had heard when it opened the alert."""
    return max(to_micros(alert.fired_at), to_micros(alert.opened_at))


def _before(plan: Plan) -> Micros:
    return min(max(stretch_before(plan), LEAST_BEFORE), LONGEST_BEFORE)


async def _rule_then(conn: Connection, alert: Raised) -> RuleThen | None:
    bound = {
        "code": alert.rule_code,
        "fingerprint": alert.rule_fingerprint,
        "opened": alert.opened_at,
    }
    async with conn.cursor(row_factory=class_row(RuleThen)) as cursor:
        await cursor.execute(_sql("explain_rule"), bound)
        return await cursor.fetchone()


def _loaded(then: RuleThen) -> Rule | None:
    try:
        (rule,) = load({then.source: then.text})
    except RulesError:
        return None
    return rule


async def _beside(conn: Connection, alert: Raised, rule: Rule) -> list[Rule]:
    """The rules in force then, where this one depends on others."""
    if not (rule.unless or isinstance(rule.condition, RiskIndex)):
        return []
    bound = {"code": alert.rule_code, "opened": alert.opened_at}
    async with conn.cursor(row_factory=class_row(RuleThen)) as cursor:
        await cursor.execute(_sql("explain_beside"), bound)
        found = [_loaded(then) for then in await cursor.fetchall()]
    return [one for one in found if one is not None]


async def _readings(conn: Connection, devices: Sequence[int], start: Micros, end: Micros) -> Batch:
    """All that these devices said from `start` on, by their own time, and arrived up to `end`."""
    bound = {"devices": list(devices), "start": to_datetime(start), "end": to_datetime(end)}
    async with conn.cursor(row_factory=tuple_row) as cursor:
        async with cursor.copy(_sql("explain_readings"), bound) as copy:
            stream = b"".join([bytes(block) async for block in copy])
        await cursor.execute(_sql("explain_named"), {**bound, "naming": list(NAMING)})
        named = await cursor.fetchall()
    time, arrival, device, metric, value, digest = decode(stream, _LAYOUT)
    time, arrival = from_timestamp(time), from_timestamp(arrival)
    return Batch(time, arrival, device, metric, value, *whom(device, metric, time, digest, named))


async def _codes(conn: Connection, devices: set[int]) -> dict[int, str]:
    """COMMUNITY/CODE of devices by id, retired ones too."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("lost_devices"), {"ids": sorted(devices)})
        return {r["id"]: f"{r['community']}/{r['code']}" for r in await cursor.fetchall()}


def _place(alert: Raised, inventory: Inventory, codes: dict[int, str]) -> str:
    subject = alert.subject
    if subject.kind is SubjectKind.DEVICE:
        return codes.get(subject.id, f"device {subject.id}")
    if subject.kind is SubjectKind.HOUSEHOLD and subject.id in inventory.households:
        return inventory.households[subject.id].code
    if subject.kind is SubjectKind.AREA and subject.id in inventory.areas:
        return inventory.areas[subject.id].code
    return f"{subject.kind} {subject.id}"


def _shown(
    rows: Batch, alert: Raised, rule: Rule | None, plan: Plan | None, codes: dict[int, str]
) -> list[Heard]:
    """Of the alert's devices and metrics: from the last before the span on, each device's.

    Where a name joins readings, only those that name the same; of a window all that it held.
    """
    mine = rows.take(np.isin(rows.device, alert.devices) & np.isin(rows.metric, alert.metrics))
    mine = mine.take(mine.time <= to_micros(alert.fired_at))
    if rule is not None and plan is not None:
        token = token_in(plan.rules[0], rows, _span(alert))
        mine = mine.take((mine.token == token) | (token == NOBODY))
    mine = mine.take(np.lexsort((mine.device, mine.time)))
    since = to_micros(alert.since) - (0 if rule is None else window_of(rule))
    last = {row.device: i for i, row in enumerate(mine.rows()) if row.time < since}
    chosen = mine.take(np.array([*sorted(last.values()), *np.flatnonzero(mine.time >= since)], int))
    told = None if rule is None or plan is None else holds(rule, plan, chosen)
    return [
        Heard(
            row.time,
            row.arrival,
            codes.get(row.device, str(row.device)),
            BY_ID[row.metric].name if row.metric in BY_ID else str(row.metric),
            row.value,
            None if told is None else bool(told[i]),
        )
        for i, row in enumerate(chosen.rows())
    ]


def _why_not(then: RuleThen | None, rule: Rule | None, plan: Plan | None) -> str:
    """Why the state before the alert cannot be told; empty where it can."""
    if then is None:
        return "the rule's text of then is not kept"
    if rule is None:
        return "the rule's text of then cannot be read by this version"
    if plan is None:
        return "on the applied site the rule does not judge this subject any more"
    return ""


def _sql(name: str) -> bytes:
    return (SQL / f"{name}.sql").read_bytes()
