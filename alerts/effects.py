"""The rows that transitions cause: alerts, history, recipients, notifications. Pure.

Rows are mappings from column to value; instants are aware datetimes, UTC.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from alerts.fold import Condition, Effect, Folded, Mark
from alerts.message import Telling, notifications, occasion_of
from alerts.model import Recipient, Roster, RouteReason
from alerts.place import Place
from alerts.routing import Route
from alerts.texts import Texts
from devices import metric
from devices.instant import Micros, to_datetime
from devices.reading import Json
from rules.transition import Transition

Row: TypeAlias = Mapping[str, Any]
"""Column to value, as the statement's named parameters ask for."""

ROUTED = "routed"
"""The kind of the history line that says who was told and why, or that nobody could be."""


@dataclass(slots=True)
class Rows:
    """Rows to write, in the order of the fields: what ended is written before what begins.

    unanswered: not written but said loudly: tellings for which nobody is responsible now.
    """

    changed: list[Row] = field(default_factory=list)
    opened: list[Row] = field(default_factory=list)
    told: list[Row] = field(default_factory=list)
    history: list[Row] = field(default_factory=list)
    recipients: list[Row] = field(default_factory=list)
    notifications: list[Row] = field(default_factory=list)
    unanswered: list[Row] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Setting:
    """What the rows depend on besides the transitions.

    recipients: those told so far and who has it, member ids by alert id · officers: the members who
    are duty officers now, who hear of what nobody answers for · now: µs since epoch, UTC.
    """

    place: Callable[[Transition], Place]
    texts: Callable[[Transition], Texts]
    route: Callable[[Transition], Route]
    roster: Roster
    recipients: Mapping[int, Sequence[int]]
    officers: Sequence[int]
    now: Micros


def rows_of(folded: Folded, setting: Setting) -> Rows:
    """All the rows of these effects; alerts must have their real ids by now."""
    rows = Rows()
    born = {e.alert for e in folded.effects if e.opens}
    for alert, condition in folded.conditions.items():
        if alert not in born:
            rows.changed.append({"id": alert, **_condition(condition)})
    rows.told += [_told(mark, alert) for mark, alert in folded.told.items()]
    for effect in folded.effects:
        _one(effect, folded.conditions[effect.alert], setting, rows)
    return rows


def _one(effect: Effect, condition: Condition, setting: Setting, rows: Rows) -> None:
    rows.history.append(_history(effect, setting.now))
    if not effect.telling:
        return
    route = setting.route(effect.transition)
    rows.history.append(routed_row(effect.alert, route, setting.now))
    rows.recipients += [recipient_row(effect.alert, r) for r in route.recipients]
    if route.reason is RouteReason.NOBODY:
        rows.unanswered.append(_unanswered(effect, setting))
    if effect.opens:
        rows.opened.append(_alert(effect, condition, route, setting))
    rows.notifications += _notifications(effect, route, setting)


def _notifications(effect: Effect, route: Route, setting: Setting) -> Sequence[Row]:
    """To whom it is routed, else to those who know of it, else to every duty officer."""
    in_service = setting.roster.members
    known = [m for m in setting.recipients.get(effect.alert, ()) if m in in_service]
    routed = [r.member for r in route.recipients]
    occasion = occasion_of(effect.transition, opens=effect.opens, again=effect.again)
    return notifications(
        Telling.of(effect.transition, effect.severity, setting.texts(effect.transition)),
        setting.place(effect.transition),
        alert=effect.alert,
        occasion=occasion,
        members=[in_service[m] for m in routed or known or setting.officers if m in in_service],
        now=setting.now,
    )


def _unanswered(effect: Effect, setting: Setting) -> Row:
    transition = effect.transition
    return {
        "alert": effect.alert,
        "rule": transition.rule.code,
        "severity": effect.severity.value,
        "category": transition.rule.category,
        "area": setting.place(transition).area,
    }


def _condition(condition: Condition) -> Row:
    return {
        "state": condition.state.value,
        "severity": condition.severity.value,
        "silent_since": _moment(condition.silent_since),
        "cleared_at": _moment(condition.cleared_at),
        "closed_at": _moment(condition.closed_at),
        "outcome": condition.outcome,
    }


def _alert(effect: Effect, condition: Condition, route: Route, setting: Setting) -> Row:
    transition, rule = effect.transition, effect.transition.rule
    place, texts = setting.place(transition), setting.texts(transition)
    return {
        "id": effect.alert,
        "rule_code": rule.code,
        "rule_fingerprint": rule.fingerprint,
        "subject_kind": transition.subject.kind.value,
        "subject_id": transition.subject.id,
        "since": to_datetime(transition.since),
        "fired_at": to_datetime(transition.at),
        "opened_at": to_datetime(setting.now),
        "category": rule.category,
        "title": dict(texts.title),
        "plain_title": None if texts.plain == texts.title else dict(texts.plain),
        "advice": dict(texts.advice),
        "area_id": place.area,
        "household_id": place.household,
        "device_id": place.device,
        "devices": list(transition.devices),
        "metrics": [metric.BY_NAME[name].id for name in rule.watch.metrics],
        "value": transition.value,
        "route_reason": route.reason.value,
        **_condition(condition),
    }


def _told(mark: Mark, alert: int) -> Row:
    return {
        "rule_code": mark.key.rule,
        "subject_kind": mark.key.subject.kind.value,
        "subject_id": mark.key.subject.id,
        "change": mark.change.value,
        "since": to_datetime(mark.since),
        "at": to_datetime(mark.at),
        "alert_id": alert,
    }


def _history(effect: Effect, now: Micros) -> Row:
    transition = effect.transition
    reason = effect.decision.reason.value
    detail: dict[str, Json] = {
        "since": to_datetime(transition.since).isoformat(),
        "at": to_datetime(transition.at).isoformat(),
        "value": transition.value,
    }
    if effect.before not in {None, effect.severity}:
        detail |= {"from": str(effect.before), "to": str(effect.severity)}
    return _event(effect.alert, now, reason, transition.cause.value, detail)


def routed_row(alert: int, route: Route, now: Micros, *, kind: str = ROUTED) -> Row:
    """The history line that says to whom an alert was brought, and why them."""
    told: list[Json] = [
        {"member": r.member, "role": r.role, "area": r.area} for r in route.recipients
    ]
    return _event(alert, now, kind, route.reason.value, {"recipients": told})


def _event(alert: int, now: Micros, kind: str, reason: str, detail: Json) -> Row:
    at = to_datetime(now)
    return {
        "alert_id": alert,
        "at": at,
        "kind": kind,
        "reason": reason,
        "member_id": None,
        "detail": detail,
    }


def recipient_row(alert: int, recipient: Recipient) -> Row:
    """Who must act on an alert, and why they."""
    return {
        "alert_id": alert,
        "member_id": recipient.member,
        "role": recipient.role,
        "area_id": recipient.area,
        "reason": recipient.reason.value,
    }


def _moment(micros: Micros | None) -> datetime | None:
    return None if micros is None else to_datetime(micros)
