"""One test, read closely: what is said when, and the alerts that must come of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from devices.instant import MINUTE, SECOND, Micros, to_micros
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.testing.expected import Check, Expected, devices_of, read_check, read_expected
from rules.testing.fields import instant, listed, spans, words
from rules.testing.moment import Scale, read_date
from rules.testing.said import Said, read_said
from rules.testing.scene import Scene
from rules.testing.suite import Suite

FIRST_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 — in the zone of the place, a Thursday
LEAST_TICK: Micros = SECOND // 1_000
KEYS = frozenset(
    {"name", "start", "interval", "tick", "until", "only"}
    | {"series", "readings", "away", "alerts", "at"}
)


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
    expected = read_expected(entry, scene, scale, only)
    checks = tuple(read_check(item, scene, scale) for item in listed(entry, "at"))
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
        devices=named | devices_of(expected or (), checks, scene),
        only=only,
        expected=expected,
        checks=checks,
    )


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
