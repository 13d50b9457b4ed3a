"""Spells: from a rule's becoming true at a subject until it cleared. What an alert is about."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from devices.instant import Micros
from rules.model import GRAVEST_FIRST, Rule, Severity
from rules.plan import of_a_moment
from rules.transition import Cause, Change, Subject, Transition


@dataclass(frozen=True, slots=True)
class Spell:
    """A rule was true at a subject.

    since: when its span began · fired: when the alert was due · until: when it cleared, None where
    it still stood at the end; all µs since epoch, UTC. severity: the gravest that it had ·
    cause, devices, value: of its beginning.
    """

    rule: Rule
    subject: Subject
    since: Micros
    fired: Micros
    until: Micros | None
    severity: Severity
    cause: Cause
    devices: tuple[int, ...]
    value: float | None

    def lasted(self, end: Micros) -> Micros:
        """From `since` until it cleared, or `end` where it did not, µs."""
        return max(0, (end if self.until is None else self.until) - self.since)


class Spells:
    """Transitions put together, one after another.

    A momentary occurrence (a button, a card) is a spell of its own and of no length: in the service
    a person would end it, and more of them until then would be one alert.
    """

    def __init__(self) -> None:
        self.ended: list[Spell] = []
        self._standing: dict[tuple[str, Subject], Spell] = {}

    def take(self, transitions: Iterable[Transition]) -> None:
        """Note what these say; each subject's must come in order."""
        for transition in transitions:
            self._one(transition)

    def all(self) -> Sequence[Spell]:
        """Every spell so far, those that still stand too, by when they fired."""
        found = [*self.ended, *self._standing.values()]
        return sorted(found, key=lambda s: (s.fired, s.rule.code, s.subject.id))

    def _one(self, transition: Transition) -> None:
        key = transition.rule.code, transition.subject
        if transition.change is Change.FIRED:
            spell = _begun(transition)
            if of_a_moment(transition):
                self.ended.append(replace(spell, until=transition.at))
            else:
                self._standing[key] = spell
        elif transition.change in {Change.CLEARED, Change.WITHDRAWN}:
            begun = self._standing.pop(key, None)
            if begun is not None:
                self.ended.append(replace(begun, until=transition.at))
        elif transition.change is Change.GRADED and key in self._standing:
            begun = self._standing[key]
            gravest = min(begun.severity, transition.severity, key=GRAVEST_FIRST.index)
            self._standing[key] = replace(begun, severity=gravest)


def _begun(fired: Transition) -> Spell:
    return Spell(
        fired.rule,
        fired.subject,
        fired.since,
        fired.at,
        None,
        fired.severity,
        fired.cause,
        fired.devices,
        fired.value,
    )
