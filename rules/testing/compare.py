"""What came of a test against what was expected: every difference, none where the test passes."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rules.testing.case import Case
from rules.testing.expected import AT, Check, Expected
from rules.testing.history import Alert
from rules.testing.moment import Scale
from rules.testing.scene import Scene

NOTHING = "nothing"
STANDING = "stands at the end"


class Recipients(NamedTuple):
    """The codes of the members who are told of an alert, and why they or nobody."""

    members: frozenset[str]
    why: str


Route = Callable[[Alert], Recipients]
"""Who is told of an alert; asked of whoever knows the duties."""


class Field(NamedTuple):
    """One thing about an alert that is otherwise than expected."""

    name: str
    expected: str
    got: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Difference:
    """An expected alert that did not come (no `got`), came otherwise, or was not expected at all.

    Of a check at an instant there is neither, and `check` is set.
    """

    expected: Expected | None = None
    got: Alert | None = None
    check: Check | None = None
    fields: tuple[Field, ...] = ()


def compare(
    case: Case, alerts: Sequence[Alert], scene: Scene, route: Route
) -> tuple[Difference, ...]:
    """The differences, by time; alerts of rules that do not count are left aside."""
    counted = [alert for alert in alerts if alert.rule in case.only]
    judge = _Judge(case, scene, route)
    found = [] if case.expected is None else judge.history(case.expected, counted)
    found += [judge.check(check, counted) for check in case.checks]
    told = [difference for difference in found if not _fine(difference)]
    return tuple(sorted(told, key=_when))


def _fine(difference: Difference) -> bool:
    alone = difference.check is None and None in (difference.expected, difference.got)
    return not difference.fields and not alone


def _when(difference: Difference) -> int:
    if difference.check is not None:
        return difference.check.time
    if difference.expected is not None:
        return difference.expected.begin
    return difference.got.begin if difference.got else 0


@dataclass(frozen=True, slots=True)
class _Judge:
    case: Case
    scene: Scene
    route: Route

    @property
    def scale(self) -> Scale:
        return self.case.scale

    def history(self, expected: Sequence[Expected], alerts: Sequence[Alert]) -> list[Difference]:
        """Each expected alert with the one that came for it: those alike first, then by time."""
        paired = _pairs([self._alike(one, alerts) for one in expected])
        left = [alert for number, alert in enumerate(alerts) if number not in paired]
        found: list[Difference] = []
        open_ = [one for number, one in enumerate(expected) if number not in paired.values()]
        for one in sorted(open_, key=lambda each: each.begin):
            near = min(
                (alert for alert in left if _may_be(one, alert)),
                key=lambda alert: abs(alert.begin - one.begin),
                default=None,
            )
            if near is not None:
                left.remove(near)
            fields = self.fields(one, near) if near else ()
            found.append(Difference(expected=one, got=near, fields=fields))
        return found + [Difference(got=alert) for alert in left]

    def _alike(self, expected: Expected, alerts: Sequence[Alert]) -> list[int]:
        """Which of these alerts are as expected."""
        span = expected.begin, expected.until
        near = (n for n, alert in enumerate(alerts) if (alert.begin, alert.until) == span)
        return [
            n for n in near if _may_be(expected, alerts[n]) and not self.fields(expected, alerts[n])
        ]

    def fields(self, expected: Expected, got: Alert) -> tuple[Field, ...]:
        """What about this alert is otherwise than expected."""
        told = [
            self._instant("from", expected.begin, got.begin, got.cause),
            self._ending(expected, got),
            None if expected.since is None else self._instant("since", expected.since, got.since),
            self._told(expected, got),
            self._severity(expected, got),
            _value(expected, got),
            self._unknown(expected, got),
            self._devices(expected, got),
            self._recipients(expected, got),
        ]
        return tuple(field for field in told if field is not None)

    def check(self, check: Check, alerts: Iterable[Alert]) -> Difference:
        """What stands at one instant otherwise than expected."""
        standing = [alert for alert in alerts if alert.stands_at(check.time)]
        silent = [alert for alert in standing if alert.unknown_at(check.time)]
        fields = (
            self._names("firing", check.firing, standing),
            self._names("unknown", check.unknown, silent),
        )
        return Difference(check=check, fields=tuple(f for f in fields if f is not None))

    def _names(
        self, name: str, expected: frozenset[str] | None, alerts: Sequence[Alert]
    ) -> Field | None:
        if expected is None:
            return None
        met = all(any(self._meant(name, alert) for alert in alerts) for name in expected)
        known = all(any(self._meant(name, alert) for name in expected) for alert in alerts)
        got = [f"{alert.rule}{AT}{self.scene.name(alert.subject)}" for alert in alerts]
        return None if met and known else Field(name, _list(expected), _list(got))

    def _meant(self, name: str, alert: Alert) -> bool:
        """Whether this name, a rule or RULE@SUBJECT, is of this alert."""
        rule, _, subject = name.partition(AT)
        return alert.rule == rule and (
            not subject or alert.subject in self.scene.subjects(rule, subject)
        )

    def _instant(self, name: str, expected: int, got: int, why: object = "") -> Field | None:
        if expected == got:
            return None
        return Field(name, self.scale.show(expected), self.scale.show(got), str(why))

    def _ending(self, expected: Expected, got: Alert) -> Field | None:
        if expected.until == got.until:
            return None
        show = self._end
        return Field("until", show(expected.until), show(got.until), str(got.ended or ""))

    def _end(self, instant: int | None) -> str:
        return STANDING if instant is None else self.scale.show(instant)

    def _told(self, expected: Expected, got: Alert) -> Field | None:
        """Told is known to the tick."""
        if expected.told is None or abs(expected.told - got.told) < self.case.tick:
            return None
        return Field("told", self.scale.show(expected.told), self.scale.show(got.told))

    def _severity(self, expected: Expected, got: Alert) -> Field | None:
        """The colours in their order, and when each begins where that is said."""
        if expected.colours is None:
            return None
        timed = all(at is not None for at, _ in expected.colours)
        had = [(at if timed else None, colour) for at, colour in got.colours]
        if list(expected.colours) == had:
            return None
        return Field("severity", self._colours(expected.colours), self._colours(got.colours))

    def _colours(self, colours: Iterable[tuple[int | None, str]]) -> str:
        told = [f"{c}" if at is None else f"{c} from {self.scale.show(at)}" for at, c in colours]
        return ", ".join(told)

    def _unknown(self, expected: Expected, got: Alert) -> Field | None:
        if expected.unknown == got.unknown:
            return None
        return Field("unknown", self._spans(expected.unknown), self._spans(got.unknown))

    def _spans(self, spans: Iterable[tuple[int, int | None]]) -> str:
        told = [
            f"{self.scale.show(b)} to {'the end' if e is None else self.scale.show(e)}"
            for b, e in spans
        ]
        return ", ".join(told) or "never"

    def _devices(self, expected: Expected, got: Alert) -> Field | None:
        if expected.devices is None:
            return None
        wanted = {device.id for name in expected.devices for device in self.scene.devices(name)}
        if wanted == set(got.devices):
            return None
        return Field(
            "devices", _list(expected.devices), _list(map(self.scene.device_name, got.devices))
        )

    def _recipients(self, expected: Expected, got: Alert) -> Field | None:
        if expected.to is None:
            return None
        members, why = self.route(got)
        if members == expected.to:
            return None
        return Field("to", _list(expected.to, "nobody"), _list(members, "nobody"), why)


def _may_be(expected: Expected, alert: Alert) -> bool:
    """Whether the alert is of the rule, and at the subject, that is expected."""
    known = expected.subjects is None or alert.subject in expected.subjects
    return expected.rule == alert.rule and known


def _value(expected: Expected, got: Alert) -> Field | None:
    if expected.value is None:
        return None
    if got.value is not None and math.isclose(expected.value, got.value, rel_tol=1e-6):
        return None
    return Field("value", f"{expected.value:g}", "none" if got.value is None else f"{got.value:g}")


def _list(words: Iterable[str], nothing: str = NOTHING) -> str:
    return ", ".join(sorted(words)) or nothing


def _pairs(alike: Sequence[Sequence[int]]) -> dict[int, int]:
    """As many pairs as can be: alert to expectation, each in one pair only.

    alike: the alerts that each expectation could be. By augmenting paths (Kuhn 1955): an
    expectation that leaves much open gives way to a closer one.
    """
    paired: dict[int, int] = {}

    def place(row: int, seen: set[int]) -> bool:
        for column in sorted(alike[row], key=paired.__contains__):
            if column not in seen:
                seen.add(column)
                if column not in paired or place(paired[column], seen):
                    paired[column] = row
                    return True
        return False

    for row in range(len(alike)):
        place(row, set())
    return paired
