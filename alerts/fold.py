"""Transitions onto standing alerts, one after the other: which effects they have. Pure.

Alerts that are opened here have negative ids, -1 first, until the store gives them theirs.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from alerts import lifecycle
from alerts.lifecycle import Decision, Reason
from alerts.model import AlertState
from devices.instant import Micros
from rules.model import GRAVEST_FIRST, Severity
from rules.transition import Change, Subject, Transition

rank = GRAVEST_FIRST.index
"""Of a colour: 0 is the gravest."""


class Key(NamedTuple):
    """One rule at one subject: at most one alert stands for it."""

    rule: str
    subject: Subject


class Mark(NamedTuple):
    """What tells a transition from every other. at: a span's begin for FIRED; µs, UTC."""

    key: Key
    change: Change
    since: Micros
    at: Micros


@dataclass(frozen=True, slots=True)
class Condition:
    """What transitions change about an alert; instants in µs since epoch, UTC."""

    state: AlertState
    severity: Severity
    silent_since: Micros | None = None
    cleared_at: Micros | None = None
    closed_at: Micros | None = None
    outcome: str | None = None


@dataclass(frozen=True, slots=True)
class Picture:
    """What is stored: the standing alerts' ids, their conditions, and the transitions told.

    told: mark → id of the alert it had its effect on · withdrawn: which of those alerts ended
    because their rule or subject was no more.
    """

    standing: Mapping[Key, int]
    conditions: Mapping[int, Condition]
    told: Mapping[Mark, int]
    withdrawn: Collection[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Effect:
    """A transition that changed something about the alert with this id.

    severity: the alert's colour from then on · before: until then, None where it began with this.
    """

    alert: int
    transition: Transition
    decision: Decision
    severity: Severity
    before: Severity | None

    @property
    def opens(self) -> bool:
        """True where the alert began with this."""
        return self.decision.reason is Reason.OPENED

    @property
    def again(self) -> bool:
        """True where it occurred once more (SOS pressed again)."""
        fired = self.decision.reason is Reason.FIRED_AGAIN
        return fired and self.transition.cause.momentary

    @property
    def rises(self) -> bool:
        """True where the alert is graver than before."""
        return self.before is not None and rank(self.severity) < rank(self.before)

    @property
    def telling(self) -> bool:
        """True where people must be told: a new alert, a new occurrence, a graver colour."""
        return self.opens or self.again or self.rises


@dataclass(frozen=True, slots=True)
class Folded:
    """Effects in the order of their transitions, and how each alert they touched ends up.

    told: the marks to remember, with their alerts: of these effects, and of what said nothing new
    to a standing alert (silent, when silent already), lest a replay take it for news later.
    """

    effects: tuple[Effect, ...]
    conditions: Mapping[int, Condition]
    told: Mapping[Mark, int]

    def numbered(self, ids: Mapping[int, int]) -> "Folded":
        """The same with these ids in place of the negative ones."""
        effects = tuple(replace(e, alert=ids.get(e.alert, e.alert)) for e in self.effects)
        conditions = {ids.get(i, i): c for i, c in self.conditions.items()}
        return Folded(effects, conditions, {m: ids.get(i, i) for m, i in self.told.items()})


def key_of(transition: Transition) -> Key:
    """Which alert it may stand in."""
    return Key(transition.rule.code, transition.subject)


def mark_of(transition: Transition) -> Mark:
    """What it is remembered by."""
    fired = transition.change is Change.FIRED
    at = transition.since if fired else transition.at
    return Mark(key_of(transition), transition.change, transition.since, at)


def fold(transitions: Iterable[Transition], picture: Picture) -> Folded:
    """The effects of these transitions, in their order; one that was told before has none.

    What an alert was told before it was withdrawn is forgotten: a rule that is back finds the same
    span (nothing heard since the same instant) and must tell it anew. For this the caller never
    hands over again what led up to a withdrawal: it saves its state together with it.
    """
    folding = _Folding(picture)
    for transition in transitions:
        folding.take(transition)
    touched = {e.alert: folding.conditions[e.alert] for e in folding.effects}
    told = {m: i for m, i in folding.told.items() if picture.told.get(m) != i}
    return Folded(tuple(folding.effects), touched, told)


class _Folding:
    def __init__(self, picture: Picture) -> None:
        self.standing = dict(picture.standing)
        self.conditions = dict(picture.conditions)
        self.told = dict(picture.told)
        self.withdrawn = set(picture.withdrawn)
        self.effects: list[Effect] = []
        self._opened = 0

    def take(self, transition: Transition) -> None:
        mark = mark_of(transition)
        fired = transition.change is Change.FIRED
        alert = self.standing.get(mark.key) if fired else self._of_span(mark)
        before = None if alert is None else self.conditions[alert]
        decision = _decide(transition, before, known=self._knows(mark))
        if not decision.changed:
            if alert is not None and not self._knows(mark):
                self.told[mark] = alert
            return
        alert = self._new_id() if alert is None else alert
        after = _after(before, decision, transition)
        self._write(alert, mark, after)
        was = None if before is None else before.severity
        self.effects.append(Effect(alert, transition, decision, after.severity, was))

    def _of_span(self, mark: Mark) -> int | None:
        """The standing alert that this span is, or was merged into: an older one is left alone."""
        standing = self.standing.get(mark.key)
        told = self.told.get(Mark(mark.key, Change.FIRED, mark.since, mark.since))
        return standing if standing == told else None

    def _knows(self, mark: Mark) -> bool:
        told = self.told.get(mark)
        ended = mark.change is Change.WITHDRAWN
        return told is not None and (ended or told not in self.withdrawn)

    def _new_id(self) -> int:
        self._opened += 1
        return -self._opened

    def _write(self, alert: int, mark: Mark, condition: Condition) -> None:
        self.told[mark] = alert
        self.conditions[alert] = condition
        if condition.state.standing:
            self.standing[mark.key] = alert
        else:
            del self.standing[mark.key]
        if mark.change is Change.WITHDRAWN:
            self.withdrawn.add(alert)


def _decide(transition: Transition, before: Condition | None, *, known: bool) -> Decision:
    state = None if before is None else before.state
    silent = before is not None and before.silent_since is not None
    if known or transition.change is Change.FIRED:
        return lifecycle.on_fired(state, known=known)
    decisions: Mapping[Change, Callable[[], Decision]] = {
        Change.CLEARED: lambda: lifecycle.on_cleared(state),
        Change.WITHDRAWN: lambda: lifecycle.on_withdrawn(state),
        Change.WENT_SILENT: lambda: lifecycle.on_silent(state, silent=silent),
        Change.HEARD_AGAIN: lambda: lifecycle.on_heard(state, silent=silent),
        Change.GRADED: lambda: lifecycle.on_graded(
            state, before.severity if before else None, transition.severity
        ),
    }
    return decisions[transition.change]()


def _after(before: Condition | None, decision: Decision, transition: Transition) -> Condition:
    state = decision.state or AlertState.OPEN
    condition = before or Condition(state, transition.severity)
    match decision.reason:
        case Reason.CLEARED:
            return replace(condition, state=state, cleared_at=transition.at)
        case Reason.WITHDRAWN:
            outcome = str(transition.cause)
            return replace(condition, state=state, closed_at=transition.at, outcome=outcome)
        case Reason.WENT_SILENT:
            return replace(condition, silent_since=transition.at)
        case Reason.HEARD_AGAIN:
            return replace(condition, silent_since=None)
        case _:
            return replace(condition, state=state, severity=_colour(condition, transition))


def _colour(condition: Condition, transition: Transition) -> Severity:
    """That of the transition; an occurrence does not make an earlier one less grave."""
    if transition.cause.momentary:
        return min(condition.severity, transition.severity, key=rank)
    return transition.severity
