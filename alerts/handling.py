"""What a person does with an alert, in the caller's transaction; see `lifecycle` for the decisions.

Every attempt is in the audit log, refused ones too; history and inboxes hear only of changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from alerts import lifecycle
from alerts.answering import answer
from alerts.errors import NoSuchAlertError
from alerts.lifecycle import Decision
from alerts.model import AlertState, Outcome
from alerts.query import query
from alerts.roster import load_duties
from alerts.visibility import may_see
from devices.instant import Micros, to_datetime

Connection: TypeAlias = AsyncConnection[Any]


@dataclass(frozen=True, slots=True)
class _Sight:
    category: str
    path: tuple[int, ...]
    involved: tuple[int, ...]
    nobodys: bool
    told: tuple[int, ...]


async def sees(conn: Connection, alert_id: int, member_id: int, now: Micros) -> bool:
    """Whether this member may see this alert now; False also where there is no such alert."""
    sight = await _sight(conn, alert_id)
    return sight is not None and await _sees(conn, sight, member_id, now)


async def acknowledge(conn: Connection, alert_id: int, member_id: int, now: Micros) -> Decision:
    """The member takes the alert. NoSuchAlertError if there is none that the member may see.

    now: the service's time, µs since epoch, UTC. A refusal is a Decision that changed nothing.
    """
    alert, sight = await _lock(conn, alert_id, member_id, now)
    state, holder = AlertState(alert["state"]), alert["acknowledged_by"]
    decision = lifecycle.acknowledge(state, by=member_id, holder=holder)
    if decision.changed:
        moment = to_datetime(now)
        await conn.execute(
            query("acknowledge"), {"alert": alert_id, "member": member_id, "now": moment}
        )
    await _remember(conn, _Act("acknowledge", alert_id, member_id, now, {}), decision, sight)
    return decision


async def close(  # noqa: PLR0917 - the order of the words one would say it in
    conn: Connection,
    alert_id: int,
    member_id: int,
    outcome: Outcome,
    note: str | None,
    now: Micros,
) -> Decision:
    """The member says what was found, which ends the alert. NoSuchAlertError as `acknowledge`.

    A false alarm needs a note. now: the service's time, µs since epoch, UTC.
    """
    alert, sight = await _lock(conn, alert_id, member_id, now)
    note = (note or "").strip() or None
    decision = lifecycle.close(AlertState(alert["state"]), outcome, note)
    found = {"outcome": outcome.value, "note": note}
    if decision.changed:
        who = {"alert": alert_id, "member": member_id, "now": to_datetime(now)}
        await conn.execute(query("close"), {**who, **found})
    await _remember(conn, _Act("close", alert_id, member_id, now, found), decision, sight)
    return decision


async def wake_inboxes(conn: Connection, members: Iterable[int]) -> None:
    """Say, at the commit, that these members' inboxes changed."""
    await conn.execute(query("wake_inboxes"), {"members": sorted(members)})


@dataclass(frozen=True, slots=True)
class _Act:
    name: str
    alert: int
    member: int
    now: Micros
    detail: Mapping[str, str | None]


async def _lock(
    conn: Connection, alert_id: int, member_id: int, now: Micros
) -> tuple[Mapping[str, Any], _Sight]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("lock_alert"), {"alert": alert_id})
        alert = await cursor.fetchone()
    sight = await _sight(conn, alert_id)
    if alert is None or sight is None or not await _sees(conn, sight, member_id, now):
        raise NoSuchAlertError(f"there is no alert {alert_id} that member {member_id} may see")
    return alert, sight


async def _sight(conn: Connection, alert_id: int) -> _Sight | None:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(query("sight"), {"alert": alert_id})
        row = await cursor.fetchone()
    if row is None:
        return None
    return _Sight(
        row["category"],
        tuple(row["path"]),
        tuple(row["involved"]),
        row["nobodys"],
        tuple(row["told"]),
    )


async def _sees(conn: Connection, sight: _Sight, member_id: int, now: Micros) -> bool:
    return may_see(
        member_id,
        involved=sight.involved,
        nobodys=sight.nobodys,
        path=sight.path,
        category=sight.category,
        duties=await load_duties(conn, "member_duties", {"member": member_id}),
        now=now,
    )


async def _remember(conn: Connection, act: _Act, decision: Decision, sight: _Sight) -> None:
    if decision.changed:
        await _write_history(conn, act, decision)
        await _answer(conn, act, decision)
        await wake_inboxes(conn, {*sight.told, *sight.involved, act.member})
    await conn.execute(
        query("write_audit"),
        {
            "now": to_datetime(act.now),
            "member": act.member,
            "action": f"alert.{act.name}",
            "alert": act.alert,
            "detail": Jsonb({"reason": decision.reason.value, **act.detail}),
        },
    )


async def _answer(conn: Connection, act: _Act, decision: Decision) -> None:
    if decision.state is not None:
        await answer(conn, {act.alert: decision.state}, act.now)


async def _write_history(conn: Connection, act: _Act, decision: Decision) -> None:
    await conn.execute(
        query("write_history"),
        {
            "alert_id": act.alert,
            "at": to_datetime(act.now),
            "kind": decision.reason.value,
            "reason": act.detail.get("outcome") or decision.reason.value,
            "member_id": act.member,
            "detail": Jsonb(dict(act.detail)),
        },
    )
