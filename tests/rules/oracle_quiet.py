"""What is not told because another rule stands: all that happens, one thing after another."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from devices.instant import Micros
from rules.model import Missing, Rule, SubjectKind
from rules.plan import Plan
from rules.transition import Cause, Change, Subject, Transition


def of_a_moment(fired: Transition) -> bool:
    """Whether nothing but a person ends the alert."""
    condition = fired.rule.condition
    by_name = isinstance(condition, Missing) and condition.same.named
    return fired.cause is Cause.OCCURRED or by_name


class Quiet:
    """What is not told because another rule stands: all that happens, one thing after another."""

    def __init__(self, plan: Plan) -> None:
        self.rules = [own.rule for own in plan.rules]
        self.inventory = plan.whereabouts.inventory
        self.standing: set[tuple[str, Subject]] = set()
        self.held: dict[tuple[str, Subject], Transition] = {}
        self.silent: dict[tuple[str, Subject], Micros | None] = {}

    def told(
        self,
        said: Mapping[int, list[Transition]],
        now: Micros,
        before: Mapping[int, list[Transition]],
    ) -> dict[int, list[Transition]]:
        """What these rules, by their numbers, have said, without what is not to be told.

        before: what others have told in the same batch, by their numbers.
        """
        rules = {number: self.rules[number] for number in said}
        told = {self.rules[number].code: own for number, own in before.items()}
        codes = {rule.code for rule in rules.values()}
        while not codes <= told.keys():
            for number, rule in rules.items():
                waits = [c for c in rule.unless if c in codes and c not in told]
                if rule.code not in told and not waits:
                    told[rule.code] = self._of(rule, said[number], told, now)
        return {number: told[rule.code] for number, rule in rules.items()}

    def end(self, told: Mapping[int, list[Transition]]) -> None:
        """What all have told in a batch."""
        self.standing = self._after(self.standing, [t for own in told.values() for t in own])

    def _after(
        self, standing: set[tuple[str, Subject]], said: Iterable[Transition]
    ) -> set[tuple[str, Subject]]:
        standing = set(standing)
        for t in said:
            if t.change is Change.FIRED and not of_a_moment(t):
                standing.add((t.rule.code, t.subject))
            elif t.change is Change.CLEARED:
                standing.discard((t.rule.code, t.subject))
        return standing

    def _of(
        self, rule: Rule, own: list[Transition], told: Mapping[str, list[Transition]], now: Micros
    ) -> list[Transition]:
        if not rule.unless:
            return own
        others = [t for code in rule.unless for t in told.get(code, [])]
        events = [(t.at + (t.cause is Cause.SENSOR_SILENT), 0, t) for t in others]
        fired = {(t.at, t.subject) for t in own if t.change is Change.FIRED}
        events += [(t.at, 2 if (t.at, t.subject) in fired else -1, t) for t in own]
        standing, out = set(self.standing), list[Transition]()
        for time, ours, t in sorted(events, key=lambda e: e[:2]):
            if ours != 0:
                out += self._own(t, rule, standing)
            else:
                standing = self._after(standing, [t])
                if t.change is Change.CLEARED:
                    out += self._release(rule, standing, time)
        return out + self._release(rule, standing, now)

    def _own(
        self, t: Transition, rule: Rule, standing: set[tuple[str, Subject]]
    ) -> list[Transition]:
        key = (rule.code, t.subject)
        if t.change is Change.FIRED and self._quiet(rule, t.subject, standing):
            if not of_a_moment(t):
                self.held[key], self.silent[key] = t, None
            return []
        if key not in self.held:
            return [t]
        if t.change is Change.CLEARED:
            del self.held[key]
        elif t.change is Change.GRADED:
            self.held[key] = replace(self.held[key], severity=t.severity, value=t.value)
        else:
            self.silent[key] = t.at if t.change is Change.WENT_SILENT else None
        return []

    def _release(
        self, rule: Rule, standing: set[tuple[str, Subject]], time: Micros
    ) -> list[Transition]:
        out = []
        for key, t in list(self.held.items()):
            if key[0] == rule.code and not self._quiet(rule, key[1], standing):
                del self.held[key]
                fired = replace(t, at=max(time, t.at))
                out.append(fired)
                if (silent := self.silent[key]) is not None:
                    at = max(fired.at, silent)
                    why = Cause.SENSOR_SILENT
                    out.append(replace(fired, change=Change.WENT_SILENT, cause=why, at=at))
        return out

    def _quiet(self, rule: Rule, subject: Subject, standing: set[tuple[str, Subject]]) -> bool:
        return any(code in rule.unless and self._around(other, subject) for code, other in standing)

    def _around(self, other: Subject, subject: Subject) -> bool:
        kinds, home = (other.kind, subject.kind), self._home(other)
        if other.kind is SubjectKind.AREA:
            return other.id in self.inventory.path(self._area(subject))
        if kinds == (SubjectKind.DEVICE, SubjectKind.DEVICE):
            return other == subject
        return SubjectKind.AREA not in kinds and home is not None and home == self._home(subject)

    def _home(self, subject: Subject) -> int | None:
        if subject.kind is SubjectKind.DEVICE:
            return self.inventory.devices[subject.id].household
        return subject.id

    def _area(self, subject: Subject) -> int:
        if subject.kind is SubjectKind.DEVICE:
            return self.inventory.devices[subject.id].area
        if subject.kind is SubjectKind.HOUSEHOLD:
            return self.inventory.households[subject.id].area
        return subject.id
