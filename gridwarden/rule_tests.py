"""Tests of rules: read from disk with the rules and places they name, played, and compared.

Reading and judging are `rules.testing`'s, routing is `alerts.routing`'s: what is told here is what
the service would tell.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

from alerts.place import locate
from alerts.routing import officers, route
from devices.errors import Problem
from devices.site import Site, SiteError
from gridwarden import site as site_folder
from gridwarden.rule_files import read_files as read_texts
from gridwarden.rule_library import library_texts
from gridwarden.site_warnings import provisional_duties, provisional_inventory
from rules import loader
from rules.errors import RulesError
from rules.model import Rule
from rules.testing.case import Case, read_cases
from rules.testing.compare import Recipients, Route, compare
from rules.testing.history import Alert
from rules.testing.run import play
from rules.testing.scene import Scene
from rules.testing.show import show
from rules.testing.suite import Suite, read_suite


@dataclass(frozen=True, slots=True, eq=False)
class RuleTests:
    """A test file that can be played. path: as it was found · route: by the duties of its place."""

    path: Path
    cases: tuple[Case, ...]
    scene: Scene
    route: Route


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test. lines: what is wrong, none where it passed · took: real seconds.

    fired: the codes of the rules that raised an alert in it.
    """

    case: Case
    lines: tuple[str, ...]
    took: float
    fired: frozenset[str]

    @property
    def passed(self) -> bool:
        """Whether everything came as expected."""
        return not self.lines


def find_files(paths: Iterable[Path]) -> tuple[list[Path], list[Problem]]:
    """The test files among these: files as they are, and all *.yaml below folders."""
    files: list[Path] = []
    problems: list[Problem] = []
    for path in paths:
        found = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
        if not found:
            problems.append(Problem(str(path), 0, "no test files (*.yaml) in this folder"))
        files += found
    return list(dict.fromkeys(files)), problems


def read_files(files: Iterable[Path]) -> tuple[list[RuleTests], list[Problem]]:
    """The tests of these files; and everything wrong in them, and in what they name, by place."""
    reader = _Reader()
    read = [reader.file(path) for path in files]
    problems = sorted(set(reader.problems))
    return [each for each in read if each is not None], problems


def run(tests: RuleTests, case: Case) -> Result:
    """Play one test and compare."""
    begun = perf_counter()
    scene = tests.scene.narrowed(case.devices)
    played = play(case, scene)
    lines = [
        f"rule {failed.rule.code} failed inside: {failed.error!r}" for failed in played.failures
    ]
    differences = compare(case, played.alerts, scene, tests.route)
    lines += show(case, scene, differences)
    fired = frozenset(alert.rule for alert in played.alerts)
    return Result(case, tuple(lines), perf_counter() - begun, fired)


def router(site: Site, scene: Scene) -> Route:
    """Who is told of an alert, as the service tells: those on duty, else the duty officers."""
    duties = provisional_duties(site, scene.inventory)
    codes = dict(enumerate(site.members, 1))

    def recipients(alert: Alert) -> Recipients:
        path = locate(alert.subject, scene.inventory).path
        found = route(path, alert.category, duties, alert.told)
        members = [r.member for r in found.recipients] or officers(duties, alert.told)
        return Recipients(frozenset(codes[member] for member in members), found.reason.value)

    return recipients


@dataclass(slots=True)
class _Reader:
    """Reads test files; the rules and sites that several of them name are read once."""

    problems: list[Problem] = field(default_factory=list)
    _rules: dict[tuple[str, ...], tuple[Rule, ...] | None] = field(default_factory=dict)
    _sites: dict[str, tuple[Site, tuple[Rule, ...]] | None] = field(default_factory=dict)

    def file(self, path: Path) -> RuleTests | None:
        """The tests of this file; None where they cannot be played, which has been noted."""
        try:
            text = path.read_text("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(Problem(str(path), 0, f"cannot be read: {error}"))
            return None
        suite = read_suite(str(path), text, self.problems)
        return None if suite is None else self._tests(path, suite)

    def _tests(self, path: Path, suite: Suite) -> RuleTests | None:
        place, rules = self._place(path, suite)
        if suite.rules:
            rules = self._rules_of(path, suite.rules)
        if place is None or rules is None:
            return None
        inventory = provisional_inventory(place)
        scene = Scene(
            rules={rule.code: rule for rule in rules},
            inventory=inventory,
            zone=ZoneInfo(place.time_zone),
            members=frozenset(place.members),
        )
        return RuleTests(path, read_cases(suite, scene), scene, router(place, scene))

    def _place(self, path: Path, suite: Suite) -> tuple[Site | None, tuple[Rule, ...] | None]:
        """Where the tests play, and the rules of that site where it is one."""
        if not suite.site:
            return suite.place, None
        folder = _beside(path, suite.site)
        if folder not in self._sites:
            self._sites[folder] = self._site(folder)
        return self._sites[folder] or (None, None)

    def _site(self, folder: str) -> tuple[Site, tuple[Rule, ...]] | None:
        try:
            site, rules = site_folder.check(Path(folder))
            return site, tuple(_in_folder(folder, rule) for rule in rules)
        except SiteError as error:
            for problem in error.problems:
                inside = "" if problem.source == folder else f"{folder}/"
                self.problems.append(replace(problem, source=f"{inside}{problem.source}"))
            return None

    def _rules_of(self, path: Path, names: Sequence[str]) -> tuple[Rule, ...] | None:
        paths = tuple(_beside(path, name) for name in names)
        if paths not in self._rules:
            texts, problems = read_texts(map(Path, paths))
            self.problems += problems
            try:
                self._rules[paths] = loader.load(texts, library_texts())
            except RulesError as error:
                self.problems += error.problems
                self._rules[paths] = None
        return self._rules[paths]


def _beside(path: Path, name: str) -> str:
    """The path that a test file names, relative to it."""
    return os.path.normpath(path.parent / name)


def _in_folder(folder: str, rule: Rule) -> Rule:
    """The rule with the path of its file from here; what is of the library has its own."""
    own = rule.source in library_texts()
    return rule if own else replace(rule, source=f"{folder}/{rule.source}")
