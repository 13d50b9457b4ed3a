"""One test, read closely: what is said when, and the alerts that must come of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from devices.instant import MINUTE, SECOND, Micros, to_micros
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Severity, SubjectKind
from rules.testing.fields import Span, instant, listed, number, required_instant, spans, words
from rules.testing.moment import HINT, Scale, read_date, read_instant
from rules.testing.said import Said, read_said
from rules.testing.scene import Scene
from rules.testing.suite import Suite
from rules.transition import Subject

FIRST_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 — in the zone of the place, a Thursday
LEAST_TICK: Micros = SECOND // 1_000
AT = "@"
"""Between a rule and its subject in `firing` and `unknown`."""

KEYS = frozenset(
    {"name", "start", "interval", "tick", "until", "only"}
    | {"series", "readings", "away", "alerts", "at"}
)
ALERT_KEYS = frozenset(
    {"rule", "subject", "from", "since", "until", "told", "severity"}
    | {"value", "unknown", "devices", "to"}
)
CHECK_KEYS = frozenset({"time", "firing", "unknown"})


@dataclass(frozen=True, slots=True)
class Expected:
    """An alert that must come. Of what is None, anything will do; instants in µs, UTC.

    begin: when it is raised · until: when it ends, None: not within the test · told: when the
    rules said so · colours: all that it has, each with when it begins if that counts
    unknown: while its sensor was silent · devices, to: codes.
    """

    rule: str
    subjects: tuple[Subject, ...] | None
    begin: Micros
    until: Micros | None
    since: Micros | None
    told: Micros | None
    colours: tuple[tuple[Micros | None, Severity], ...] | None
    value: float | None
    unknown: tuple[Span, ...]
    devices: frozenset[str] | None
    to: frozenset[str] | None
    line: int


@dataclass(frozen=True, slots=True)
class Check:
    """What must stand at one instant: exactly these, each a rule or RULE@SUBJECT; None: anything.

    firing: raised and not ended · unknown: those of them whose sensor is silent.
    """

    time: Micros
    firing: frozenset[str] | None
    unknown: frozenset[str] | None
    line: int


class Stay(NamedTuple):
    """A household is away from `begin` until just before `end` (None: to the end); µs, UTC."""

    household: int
    begin: Micros
    end: Micros | None


@dataclass(frozen=True, slots=True)
class Case:
    """A test. said: by arrival · until: its end · only: the rules whose alerts count.

    devices: ids of those that take part, as the test names them · away: when which households are
    away; those in none of these are as the place says.
    expected: the whole history of alerts; None where only `checks` are given.
    """

    name: str
    source: str
    line: int
    scale: Scale
    tick: Micros
    until: Micros
    said: tuple[Said, ...]
    away: tuple[Stay, ...]
    devices: frozenset[int]
    only: frozenset[str]
    expected: tuple[Expected, ...] | None
    checks: tuple[Check, ...]

    def away_at(self, instant: Micros) -> Mapping[int, bool]:
        """Whether each household of which the test says when it is away is so at this instant."""
        away = {stay.household: False for stay in self.away}
        for stay in self.away:
            ended = stay.end is not None and stay.end <= instant
            away[stay.household] |= stay.begin <= instant and not ended
        return away


def read_cases(suite: Suite, scene: Scene) -> tuple[Case, ...]:
    """The tests of this file; those in which something is wrong, noted, are left out."""
    read = (_read(entry, suite.entry, scene) for entry in suite.tests)
    return tuple(case for case in read if case is not None)


def _read(entry: Entry, around: Entry, scene: Scene) -> Case | None:
    before = len(entry.problems)
    entry.refuse_others(KEYS)
    scale = Scale(_start(entry, around, scene), scene.zone)
    interval = _duration("interval", entry, around, MINUTE)
    tick = _duration("tick", entry, around, min(SECOND, interval))
    only = _rules(entry, "only", scene) or frozenset(scene.rules)
    said, named, steps = read_said(entry, scene, scale, interval)
    expected = _all_expected(entry, scene, scale, only)
    checks = tuple(_check(item, scene, scale) for item in listed(entry, "at"))
    away = tuple(_away(entry, scene, scale))
    if expected is None and not checks:
        entry.complain("", "nothing is expected", "write alerts: [] if none may come")
    until = instant(entry, "until", scale)
    last = [
        scale.start + max(steps - 1, 0) * interval,
        *_instants(said, away, expected or (), checks),
    ]
    if until is not None and until < scale.start:
        entry.complain("until", "is before the start")
    if len(entry.problems) > before:
        return None
    return Case(
        name=str(entry.data["name"]),
        source=entry.source,
        line=entry.lines.line,
        scale=scale,
        tick=tick,
        until=max(last) if until is None else until,
        said=said,
        away=away,
        devices=named | _devices_of(expected or (), checks, scene),
        only=only,
        expected=expected,
        checks=checks,
    )


def _devices_of(
    expected: Iterable[Expected], checks: Iterable[Check], scene: Scene
) -> frozenset[int]:
    """The devices that are named as what an alert is about, or as its cause."""
    subjects = [subject for alert in expected for subject in alert.subjects or ()]
    for check in checks:
        for name in (check.firing or frozenset()) | (check.unknown or frozenset()):
            rule, _, subject = name.partition(AT)
            subjects += scene.subjects(rule, subject) if subject else []
    names = [name for alert in expected for name in alert.devices or ()]
    named = {device.id for name in names for device in scene.devices(name)}
    return frozenset(named | {s.id for s in subjects if s.kind is SubjectKind.DEVICE})


def _start(entry: Entry, around: Entry, scene: Scene) -> Micros:
    for place in (entry, around):
        value = place.data.get("start")
        if value is None:
            continue
        found = read_date(value, scene.zone) if isinstance(value, str) else None
        if found is not None:
            return found
        place.complain("start", f"{value!r} is not a date and time", "write e.g. 2026-03-01 08:00")
    return to_micros(FIRST_DAY.replace(tzinfo=scene.zone))


def _duration(key: str, entry: Entry, around: Entry, default: Micros) -> Micros:
    place = entry if key in entry.data else around
    return place.duration(key, least=LEAST_TICK) or default


def _rules(entry: Entry, key: str, scene: Scene) -> frozenset[str]:
    named = words(entry, key) or frozenset()
    for rule in sorted(named - scene.rules.keys()):
        entry.complain(key, f"there is no rule {rule!r}", did_you_mean(rule, scene.rules))
    return named


def _instants(
    said: Sequence[Said],
    away: Iterable[Stay],
    expected: Iterable[Expected],
    checks: Iterable[Check],
) -> list[Micros]:
    """Every instant that the test speaks of: it goes on until the last of them."""
    found = [one.arrival for one in said[-1:]]
    found += [one for stay in away for one in (stay.begin, stay.end) if one is not None]
    for alert in expected:
        ends = [end for span in alert.unknown for end in span]
        told = [alert.begin, alert.until, alert.told, *ends]
        found += [one for one in told if one is not None]
    return found + [check.time for check in checks]


def _away(entry: Entry, scene: Scene, scale: Scale) -> Iterator[Stay]:
    """When the households in this field are away."""
    part = entry.part("away")
    for name in part.data if part else ():
        if part is None:
            continue
        homes = scene.households(name)
        if not homes:
            codes = [home.code for home in scene.inventory.households.values()]
            part.complain(name, f"there is no household {name!r}", did_you_mean(name, codes))
        for begin, end in spans(part, name, scale):
            yield from (Stay(home, begin, end) for home in homes)


def _all_expected(
    entry: Entry, scene: Scene, scale: Scale, only: frozenset[str]
) -> tuple[Expected, ...] | None:
    if entry.data.get("alerts") is None:
        return None
    read = (_expected(item, scene, scale, only) for item in listed(entry, "alerts"))
    return tuple(one for one in read if one is not None)


def _expected(entry: Entry, scene: Scene, scale: Scale, only: frozenset[str]) -> Expected | None:
    entry.refuse_others(ALERT_KEYS)
    rule = entry.text("rule")
    begin = required_instant(entry, "from", scale)
    if rule is not None and rule not in scene.rules:
        entry.complain("rule", f"there is no rule {rule!r}", did_you_mean(rule, scene.rules))
        rule = None
    elif rule is not None and rule not in only:
        entry.complain("rule", f"{rule!r} is not in 'only', so it does not count")
    until = instant(entry, "until", scale)
    if begin is not None and until is not None and until < begin:
        entry.complain("until", "is before 'from'")
    subjects = _subjects(entry, rule, scene) if rule else None
    expected = Expected(
        rule=rule or "",
        subjects=subjects,
        begin=begin or 0,
        until=until,
        since=instant(entry, "since", scale),
        told=instant(entry, "told", scale),
        colours=_colours(entry, scale),
        value=number(entry, "value"),
        unknown=spans(entry, "unknown", scale),
        devices=_devices(entry, scene),
        to=_members(entry, scene),
        line=entry.lines.line,
    )
    return expected if rule is not None and begin is not None else None


def _colours(entry: Entry, scale: Scale) -> tuple[tuple[Micros | None, Severity], ...] | None:
    """One colour, or colours by the time at which they begin; None where it is not given."""
    if "severity" not in entry.data:
        return None
    if not isinstance(entry.data["severity"], dict):
        colour = entry.choice("severity", Severity, None)
        return ((None, colour),) if colour else ()
    part = entry.part("severity")
    found = []
    for time in part.data if part else ():
        if part is None:
            continue
        at, colour = read_instant(time, scale), part.choice(time, Severity, None)
        if at is None:
            part.complain(time, f"{time!r} is not a time", HINT)
        elif colour is not None:
            found.append((at, colour))
    return tuple(sorted(found))


def _subjects(entry: Entry, rule: str, scene: Scene) -> tuple[Subject, ...] | None:
    if "subject" not in entry.data:
        return None
    name = entry.text("subject")
    if name is None:
        return None
    found = scene.subjects(rule, name)
    if not found:
        entry.complain("subject", f"there is no {name!r}", did_you_mean(name, scene.names(rule)))
    return tuple(found)


def _devices(entry: Entry, scene: Scene) -> frozenset[str] | None:
    named = words(entry, "devices")
    for name in sorted(named or ()):
        if not scene.devices(name):
            codes = [device.code for device in scene.inventory.devices.values()]
            entry.complain("devices", f"there is no device {name!r}", did_you_mean(name, codes))
    return named


def _members(entry: Entry, scene: Scene) -> frozenset[str] | None:
    named = words(entry, "to")
    for code in sorted((named or frozenset()) - scene.members):
        entry.complain("to", f"there is no member {code!r}", did_you_mean(code, scene.members))
    return named


def _check(entry: Entry, scene: Scene, scale: Scale) -> Check:
    entry.refuse_others(CHECK_KEYS)
    time = required_instant(entry, "time", scale)
    firing, unknown = (_standing(entry, key, scene) for key in ("firing", "unknown"))
    if firing is None and unknown is None:
        entry.complain("firing", "is missing", "write firing: [] if nothing may stand then")
    return Check(time or 0, firing, unknown, entry.lines.line)


def _standing(entry: Entry, key: str, scene: Scene) -> frozenset[str] | None:
    named = words(entry, key)
    for name in sorted(named or ()):
        rule, _, subject = name.partition(AT)
        if rule not in scene.rules:
            entry.complain(key, f"there is no rule {rule!r}", did_you_mean(rule, scene.rules))
        elif subject and not scene.subjects(rule, subject):
            hint = did_you_mean(subject, scene.names(rule))
            entry.complain(key, f"there is no {subject!r}", hint)
    return named
