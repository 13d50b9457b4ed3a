"""One alert: what, where, since when, who was told, what the sensors said; take it and close it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response
from psycopg import AsyncConnection

from alerts import store
from alerts.lifecycle import Reason
from alerts.model import CARE, Outcome
from alerts.web import queries
from alerts.web.advice import advice_of
from alerts.web.evidence import Evidence, Span, gather, longest_interval, window
from alerts.web.pages import fragment, go, own_path, render
from alerts.web.reply import reply_of
from alerts.web.rows import AlertRow, DeviceRow, HistoryRow, ToldRow
from alerts.web.viewer import AlertId, AtDesk, Desk, Member, OwnForm, SignedIn
from devices.instant import to_datetime

router = APIRouter(prefix="/alerts/{alert_id}")

_READ = """UPDATE notifications SET read_at = %s
            WHERE alert_id = %s AND member_id = %s AND channel = 'web' AND read_at IS NULL"""
_AUDIT = "INSERT INTO audit_log (at, member_id, action, alert_id) VALUES (%s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class Story:
    """What is known of an alert beside its readings."""

    alert: AlertRow
    told: Sequence[ToldRow]
    history: Sequence[HistoryRow]
    advice: Mapping[str, str]


@router.get("")
async def show(
    alert_id: AlertId, request: Request, at: AtDesk, who: Member, said: str = ""
) -> Response:
    """The alert's page. The look marks it read, and is audited if it is about care."""
    reply = reply_of(who.viewer.say, said)
    async with at.pool.connection() as conn:
        await _note_look(conn, at, who, await _visible(conn, at, who, alert_id))
        return await _page(conn, request, at, who, alert_id, reply=reply)


@router.post("/acknowledge", dependencies=[OwnForm])
async def acknowledge(
    alert_id: AlertId, at: AtDesk, who: Member, to: Annotated[str, Form(max_length=500)] = "/"
) -> Response:
    """The member takes the alert, and is told if somebody else has it or it is over."""
    async with at.pool.connection() as conn:
        decision = await store.acknowledge(conn, alert_id, who.member.id, at.clock.now())
    return go(f"{own_path(to).partition('?')[0]}?said={decision.reason.value}")


@router.post("/close", dependencies=[OwnForm])
async def close(
    *,
    alert_id: AlertId,
    request: Request,
    at: AtDesk,
    who: Member,
    outcome: Annotated[Outcome, Form()],
    note: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """The member says what was found; a missing note brings the form back as it was filled in."""
    async with at.pool.connection() as conn:
        member, now = who.member.id, at.clock.now()
        decision = await store.close(conn, alert_id, member, outcome, note.strip() or None, now)
        if decision.reason is Reason.NOTE_NEEDED:
            filled = {"chosen": outcome.value, "note": note, "problem": True, "status": 422}
            return await _page(conn, request, at, who, alert_id, **filled)
    return go(f"/alerts/{alert_id}?said={decision.reason.value}")


async def redraw(at: Desk, who: SignedIn, alert_id: int) -> str:
    """The part of the page that changes; NoSuchAlertError once it is not the member's to see."""
    async with at.pool.connection() as conn:
        story = await _story(conn, await _visible(conn, at, who, alert_id))
    return fragment("alert_story.html", at, who.viewer, story=story)


async def note_watching(at: Desk, who: SignedIn, alert_id: int) -> None:
    """A live page is a look too, but not another one each time that it connects anew."""
    async with at.pool.connection() as conn:
        alert = await _visible(conn, at, who, alert_id)
        if alert.category == CARE:
            now = to_datetime(at.clock.now())
            await queries.note_once(conn, who.member.id, [alert.id], queries.VIEWED, now)


async def _visible(conn: AsyncConnection, at: Desk, who: SignedIn, alert_id: int) -> AlertRow:
    now = to_datetime(at.clock.now())
    return await queries.visible_alert(conn, alert_id, who.member.id, now)


async def _story(conn: AsyncConnection, alert: AlertRow) -> Story:
    return Story(
        alert,
        told=await queries.told(conn, alert.id),
        history=await queries.history(conn, alert.id),
        advice=await _advice(conn, alert),
    )


async def _advice(conn: AsyncConnection, alert: AlertRow) -> Mapping[str, str]:
    if alert.advice is not None:
        return alert.advice
    return advice_of(await queries.rule_text(conn, alert))


async def _page(
    conn: AsyncConnection, request: Request, at: Desk, who: SignedIn, alert_id: int, **context: Any
) -> Response:
    alert = await _visible(conn, at, who, alert_id)
    defaults: dict[str, Any] = {
        "status": 200,
        "reply": "",
        "chosen": "",
        "note": "",
        "problem": False,
    }
    devices = await queries.devices_of(conn, alert.devices)
    shown = {
        "story": await _story(conn, alert),
        "path": f"/alerts/{alert_id}",
        "evidence": await _evidence(conn, at, alert, devices),
        "devices": devices,
        "outcomes": [o.value for o in Outcome],
    }
    return render("alert.html", request, at, who.viewer, **(defaults | shown | context))


async def _evidence(
    conn: AsyncConnection, at: Desk, alert: AlertRow, devices: Mapping[int, DeviceRow]
) -> list[Evidence]:
    zone = ZoneInfo(at.config.time_zone)
    span = Span(alert.since, alert.fired_at, alert.ended_at)
    interval = longest_interval(devices.values())
    start, end = window(span, interval, to_datetime(at.clock.now()))
    readings = await queries.readings(conn, alert, start, end)
    return gather(readings, devices, start.astimezone(zone), end.astimezone(zone))


async def _note_look(conn: AsyncConnection, at: Desk, who: SignedIn, alert: AlertRow) -> None:
    now = to_datetime(at.clock.now())
    await conn.execute(_READ, (now, alert.id, who.member.id))
    if alert.category == CARE:
        await conn.execute(_AUDIT, (now, who.member.id, queries.VIEWED, alert.id))
