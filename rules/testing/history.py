"""The alerts that a run's transitions make, each with its span and the spans of silence in it.

As the inbox would show them, but that nobody acts: each occurrence of something momentary is an
alert of its own, which no reading ends.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from devices.instant import Micros
from rules.model import Severity
from rules.testing.fields import Span
from rules.transition import Cause, Change, Subject, Transition


class Told(NamedTuple):
    """A transition, and up to when everything had been heard when the rules told it; µs, UTC."""

    transition: Transition
    at: Micros


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. Instants in µs, UTC; None: not within the test.

    begin: when it was raised · since: when its span began · told: when the rules said so · until:
    when it ended · colours: each with when it began · value: at the beginning · unknown: while its
    sensor was silent · devices: ids.
    """

    rule: str
    category: str
    subject: Subject
    since: Micros
    begin: Micros
    told: Micros
    colours: tuple[tuple[Micros, Severity], ...]
    value: float | None
    devices: tuple[int, ...]
    cause: Cause
    until: Micros | None = None
    ended: Cause | None = None
    unknown: tuple[Span, ...] = ()

    def stands_at(self, instant: Micros) -> bool:
        """Whether it has been raised by then and has not ended."""
        return self.begin <= instant and (self.until is None or instant < self.until)

    def unknown_at(self, instant: Micros) -> bool:
        """Whether it stands then and its sensor is silent."""
        silent = (b <= instant and (e is None or instant < e) for b, e in self.unknown)
        return self.stands_at(instant) and any(silent)


def alerts_of(told: Iterable[Told], until: Micros) -> tuple[Alert, ...]:
    """The alerts that these make up to `until`, µs; by their beginning, then by rule."""
    alerts: list[Alert] = []
    standing: dict[tuple[str, Subject], int] = {}
    for transition, at in told:
        if transition.at > until:
            continue
        key = (transition.rule.code, transition.subject)
        if transition.change is Change.FIRED:
            standing[key] = len(alerts)
            alerts.append(_raised(transition, at))
        elif key in standing:
            alerts[standing[key]] = _changed(alerts[standing[key]], transition)
    return tuple(sorted(alerts, key=lambda a: (a.begin, a.rule, a.subject.id)))


def _raised(transition: Transition, at: Micros) -> Alert:
    rule = transition.rule
    return Alert(
        rule=rule.code,
        category=rule.category,
        subject=transition.subject,
        since=transition.since,
        begin=transition.at,
        told=at,
        colours=((transition.at, rule.severity),),
        value=transition.value,
        devices=transition.devices,
        cause=transition.cause,
    )


def _changed(alert: Alert, transition: Transition) -> Alert:
    """The alert after what came of it; WITHDRAWN ends it as CLEARED does."""
    match transition.change:
        case Change.WENT_SILENT:
            return replace(alert, unknown=(*alert.unknown, (transition.at, None)))
        case Change.HEARD_AGAIN:
            return replace(alert, unknown=_heard(alert.unknown, transition.at))
        case Change.CLEARED | Change.WITHDRAWN:
            ended = _heard(alert.unknown, transition.at)
            return replace(alert, until=transition.at, ended=transition.cause, unknown=ended)
        case Change.FIRED:
            return alert


def _heard(unknown: tuple[Span, ...], at: Micros) -> tuple[Span, ...]:
    """The last span, if it has not ended, ends now."""
    if not unknown or unknown[-1][1] is not None:
        return unknown
    return (*unknown[:-1], (unknown[-1][0], at))
