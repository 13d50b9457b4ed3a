"""The differences of a test in words, with times since its start and local ones."""

from collections.abc import Iterable, Iterator

from devices.metric import BY_NAME
from rules.model import Rule
from rules.testing.case import Case
from rules.testing.compare import STANDING, Difference, Field
from rules.testing.expected import Expected
from rules.testing.history import Alert
from rules.testing.said import Said
from rules.testing.scene import Scene

INDENT = "    "
_SHOWN = 5


def show(case: Case, scene: Scene, differences: Iterable[Difference]) -> list[str]:
    """The lines that tell of these differences, each with its reason."""
    return [line for one in differences for line in _Words(case, scene).difference(one)]


class _Words:
    def __init__(self, case: Case, scene: Scene) -> None:
        self._case, self._scene, self._scale = case, scene, case.scale

    def difference(self, one: Difference) -> Iterator[str]:
        """Its lines."""
        if one.check is not None:
            yield f"at {self._scale.show(one.check.time)}, line {one.check.line}:"
            yield from map(_field, one.fields)
        elif one.expected is None and one.got is not None:
            yield f"unexpected: {self._alert(one.got)}"
            yield f"{INDENT}why: {self._reason(one.got)}"
        elif one.got is None and one.expected is not None:
            yield f"missing: {self._wanted(one.expected)}"
            yield from (f"{INDENT}why: {line}" for line in self._missing(one.expected))
        elif one.got is not None and one.expected is not None:
            yield f"otherwise: {self._alert(one.got)}; expected on line {one.expected.line}"
            yield from map(_field, one.fields)

    def _alert(self, alert: Alert) -> str:
        end = STANDING if alert.until is None else f"until {self._scale.show(alert.until)}"
        name, begin = self._scene.name(alert.subject), self._scale.show(alert.begin)
        return f"{alert.rule} at {name} from {begin}, {end}"

    def _wanted(self, expected: Expected) -> str:
        names = map(self._scene.name, expected.subjects or ())
        at = " or ".join(names) or "any subject"
        begin = self._scale.show(expected.begin)
        return f"{expected.rule} at {at} from {begin}, expected on line {expected.line}"

    def _reason(self, alert: Alert) -> str:
        rule = self._scene.rules[alert.rule]
        since = self._scale.show(alert.since)
        value = "" if alert.value is None else f", value {alert.value:g}"
        return f"{alert.cause} since {since}{value} ({rule.source}:{rule.line})"

    def _missing(self, expected: Expected) -> Iterator[str]:
        """What the rule looked at: whom it judges, and what it heard of them."""
        rule = self._scene.rules[expected.rule]
        away = self._case.away_at(expected.begin)
        own = self._scene.moved(away).bound(expected.rule)
        judged = [s for s in own.subjects if expected.subjects is None or s in expected.subjects]
        if not judged:
            names = sorted(self._scene.name(subject) for subject in own.subjects)
            yield f"of what this test names the rule judges {_listed(names) or 'nothing'}"
            for device, attribute in own.inapplicable[:_SHOWN]:
                yield f"{self._scene.device_name(device)} has no attribute {attribute!r}"
            return
        slots = [own.subjects.index(subject) for subject in judged]
        if own.away[slots].all():
            yield "nobody is at home there, and the rule says 'unless: household.away'"
        devices = {int(device) for slot in slots for device in own.devices_of(slot)}
        heard = [s for s in self._case.said if s.device in devices and s.arrival <= expected.begin]
        yield self._heard(rule, [s for s in heard if s.metric == rule.watch.metric])

    def _heard(self, rule: Rule, heard: list[Said]) -> str:
        metric = BY_NAME[rule.watch.metric]
        if not heard:
            return f"no {metric.name} was heard by then ({rule.source}:{rule.line})"
        last = [
            f"{self._scene.device_name(s.device)} {s.value:g} at {self._scale.show(s.time)}"
            for s in heard[-_SHOWN:]
        ]
        number = f"{len(heard)} reading{'s' if len(heard) > 1 else ''}"
        return f"{number} of {metric.name} by then, the last: {', '.join(last)}"


def _field(field: Field) -> str:
    why = f": {field.why}" if field.why else ""
    return f"{INDENT}{field.name}: expected {field.expected}; got {field.got}{why}"


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
