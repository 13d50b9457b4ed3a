"""A file of tests: which rules it tests in which place, and its tests, not read closely yet."""

from dataclasses import dataclass, field
from datetime import tzinfo
from zoneinfo import ZoneInfo, available_timezones

from devices.document import Data, Lines, scan
from devices.errors import Problem
from devices.site import Site
from devices.site.inline import read_place
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.testing.fields import listed

MAX_CHARACTERS = 4_000_000
KEYS = frozenset({"rules", "site", "inventory", "time_zone", "start", "interval", "tick", "tests"})
_HINT = "write rules: FILE, inventory: {devices: …} and tests: [{name: …, …}]"


@dataclass(frozen=True, slots=True, eq=False)
class Suite:
    """A test file whose place and rules are known by name, and what else it says.

    rules: paths as written, relative to the file; empty: those of the site · site: the path of a
    site folder; '' where `place` is described in the file · zone: of `place`.
    """

    source: str
    rules: tuple[str, ...]
    site: str
    place: Site | None
    zone: tzinfo | None
    entry: Entry
    tests: tuple[Entry, ...] = field(repr=False)


def read_suite(source: str, text: str, problems: list[Problem]) -> Suite | None:
    """The test file of this text; None where it cannot be told; adds to `problems`."""
    if len(text) > MAX_CHARACTERS:
        what = f"the file has {len(text)} characters, more than {MAX_CHARACTERS}"
        problems.append(Problem(source, 1, what, "split it into several files"))
        return None
    data, lines, wrong = scan(source, text)
    problems += wrong
    if not isinstance(data, dict):
        if not wrong:
            problems.append(Problem(source, lines.line, "a test file is a mapping", _HINT))
        return None
    before = len(problems)
    suite = _suite(Entry(source, "the file", "", data, lines, problems))
    return suite if len(problems) == before else None


def _suite(entry: Entry) -> Suite:
    entry.refuse_others(KEYS)
    site = (entry.text("site") or "") if "site" in entry.data else ""
    rules = tuple(sorted(entry.words("rules")))
    if not rules and not site and "rules" not in entry.data:
        entry.complain("rules", "is missing", "name a rule file or a folder of them")
    zone = _zone(entry, site)
    tests = tuple(_tests(entry))
    return Suite(entry.source, rules, site, _place(entry, site, zone), zone, entry, tests)


def _tests(entry: Entry) -> list[Entry]:
    """The tests by name; each must have one of its own."""
    tests: list[Entry] = []
    names: dict[str, int] = {}
    for item in listed(entry, "tests"):
        name = item.text("name") or ""
        line = item.lines.at("name")
        if name in names:
            item.complain("name", "is given twice", f"the first is on line {names[name]}")
        names.setdefault(name, line)
        tests.append(
            Entry(entry.source, f"test {name!r}", "", item.data, item.lines, item.problems)
        )
    if not tests and entry.data.get("tests") in (None, []):
        entry.complain("tests", "there are none", "write a list of tests, each with a 'name'")
    return tests


def _place(entry: Entry, site: str, zone: tzinfo | None) -> Site | None:
    if site:
        if "inventory" in entry.data:
            entry.complain("inventory", "is given beside 'site'", "leave one of them out")
        return None
    if "inventory" not in entry.data:
        hint = "write inventory: {devices: {CODE: KIND}}, or site: FOLDER"
        entry.complain("inventory", "is missing", hint)
        return None
    data: Data = entry.data["inventory"]
    if not isinstance(data, dict):
        entry.complain("inventory", f"{data!r} is not a mapping", "write {devices: {CODE: KIND}}")
        return None
    lines: Lines = entry.lines.parts.get("inventory", entry.lines)
    return read_place(entry.source, data, lines, str(zone or "UTC"), entry.problems)


def _zone(entry: Entry, site: str) -> tzinfo | None:
    """The zone of dates in the file; None for that of the site."""
    if site:
        if "time_zone" in entry.data:
            entry.complain("time_zone", "is given beside 'site'", "leave it out: the site has one")
        return None
    if "time_zone" not in entry.data:
        return ZoneInfo("UTC")
    name = entry.text("time_zone")
    if name is not None and name not in available_timezones():
        hint = did_you_mean(name, available_timezones())
        entry.complain("time_zone", f"{name!r} is no time zone", hint)
        return ZoneInfo("UTC")
    return ZoneInfo(name or "UTC")
