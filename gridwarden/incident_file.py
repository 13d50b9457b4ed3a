"""Incidents that people noted, from a file: CSV with a header, or JSON lines.

from and until; where: household, device (CODE, or COMMUNITY/CODE), area, or place (whichever of the
three has that code); which rules may tell of it: rules (ids), kinds (categories or metrics). The
simulator's incidents.jsonl is such a file.
"""

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, tzinfo
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from devices.errors import Problem
from devices.instant import Micros, to_micros
from devices.inventory import Inventory
from devices.metric import BY_NAME
from devices.simulator.incidents import Incident as Planted
from devices.suggest import did_you_mean
from gridwarden.errors import GridwardenError
from gridwarden.replay import SHOWN_PROBLEMS
from rules.detection import Incident, Place
from rules.model import Rule, SubjectKind

_JSON = {".jsonl", ".ndjson", ".json"}


class IncidentsError(GridwardenError):
    """A file of incidents is wrong; the text has every problem, by line."""


class Words:
    """What the words of a file mean on this site: codes of places, ids and kinds of rules.

    zone: of times without an offset.
    """

    def __init__(self, inventory: Inventory, rules: Sequence[Rule], zone: tzinfo) -> None:
        self._inventory, self._zone = inventory, zone
        self._codes = {rule.code for rule in rules}
        self._categories: dict[str, set[str]] = {}
        self._metrics: dict[str, set[str]] = {name: set() for name in BY_NAME}
        for rule in rules:
            self._categories.setdefault(rule.category, set()).add(rule.code)
            self._metrics[rule.watch.metric].add(rule.code)

    def incident(self, row: Mapping[str, Any], number: int) -> Incident:
        """One line; ValueError with what is wrong in it."""
        start, until = self._time(row, "from"), self._time(row, "until")
        if until < start:
            raise ValueError(f"until {row['until']} is before from {row['from']}")
        name = _text(row, "what") or _text(row, "name") or f"line {number}"
        return Incident(name, start, until, self._place(row), self._rules(row))

    def _time(self, row: Mapping[str, Any], key: str) -> Micros:
        text = _text(row, key)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            what = f"{key} {text!r} is not RFC 3339, e.g. 2026-03-01T08:00:00+08:00"
            raise ValueError(what) from None
        return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=self._zone))

    def _rules(self, row: Mapping[str, Any]) -> frozenset[str]:
        """Those named, by id or by kind; all where none is."""
        codes, kinds = _list(row, "rules"), [*_list(row, "kinds"), *_list(row, "metric")]
        for code in codes:
            if code not in self._codes:
                raise ValueError(_unknown("rule", code, self._codes))
        found = frozenset(codes).union(*(self._of_kind(kind) for kind in kinds))
        return found if codes or kinds else frozenset(self._codes)

    def _of_kind(self, kind: str) -> set[str]:
        """The rules of a category or over a metric, which may be none."""
        known = self._metrics | self._categories
        if kind not in known:
            raise ValueError(_unknown("kind", kind, known))
        return known[kind]

    def _place(self, row: Mapping[str, Any]) -> Place | None:
        community = _text(row, "community")
        for key in ("household", "device", "area"):
            if code := _text(row, key):
                return self._found(code, community, (key,))
        if code := _text(row, "place"):
            return self._found(code, community, ("household", "area", "device"))
        return None

    def _found(self, code: str, community: str, kinds: Sequence[str]) -> Place:
        for kind in kinds:
            if kind == "device":
                number = self._device(code, community)
            else:
                number = (self._households if kind == "household" else self._areas).get(code, 0)
            if number:
                return Place(SubjectKind(kind), number)
        raise ValueError(f"the site has no {' or '.join(kinds)} {code!r}")

    def _device(self, code: str, community: str) -> int:
        before, slash, own = code.partition("/")
        if slash:
            return self._inventory.find_id(before, own)
        around = [community] if community else sorted(self._inventory.communities)
        found = [number for c in around if (number := self._inventory.find_id(c, code))]
        if len(found) > 1:
            raise ValueError(f"several communities have a device {code!r}: write COMMUNITY/{code}")
        return found[0] if found else 0

    @cached_property
    def _households(self) -> Mapping[str, int]:
        return {home.code: home.id for home in self._inventory.households.values()}

    @cached_property
    def _areas(self) -> Mapping[str, int]:
        return {area.code: area.id for area in self._inventory.areas.values()}


def read_incidents(file: Path, words: Words) -> list[Incident]:
    """Every incident of the file; IncidentsError with all that is wrong, by line."""
    found: list[Incident] = []
    problems: list[Problem] = []
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise IncidentsError(f"{file} cannot be read: {error}") from None
    lines = _of_json(text) if file.suffix in _JSON else _of_csv(text)
    for number, row in lines:
        if isinstance(row, str):
            problems.append(Problem(str(file), number, row))
            continue
        try:
            found.append(words.incident(row, number))
        except ValueError as error:
            problems.append(Problem(str(file), number, str(error)))
    if problems:
        told = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
        more = len(problems) - len(told)
        raise IncidentsError("\n".join([*told, *([f"… and {more} more"] if more else [])]))
    return found


def of_planted(planted: Iterable[Planted], rules: Sequence[Rule]) -> list[Incident]:
    """The simulator's own incidents: told by rules that watch the metric that shows them."""
    return [
        Incident(
            one.what,
            one.start,
            one.until,
            Place(SubjectKind.DEVICE, one.device_id)
            if one.household is None
            else Place(SubjectKind.HOUSEHOLD, one.household),
            frozenset(rule.code for rule in rules if rule.watch.metric == one.metric),
        )
        for one in planted
    ]


def _of_csv(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    table = csv.DictReader(text.splitlines())
    names = table.fieldnames or []
    missing = [name for name in ("from", "until") if name not in names]
    if missing:
        yield 1, f"missing columns {missing}; the first line names the columns: from,until,…"
        return
    for row in table:
        yield table.line_num, row


def _of_json(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            yield number, f"not JSON: {error}"
            continue
        yield number, row if isinstance(row, dict) else "not a JSON object"


def _text(row: Mapping[str, Any], key: str) -> str:
    value = row.get(key)
    return "" if value is None else str(value).strip()


def _list(row: Mapping[str, Any], key: str) -> list[str]:
    """A JSON list, or a text of words between commas, semicolons or spaces."""
    value = row.get(key)
    if isinstance(value, list):
        return [str(word) for word in value]
    return _text(row, key).replace(",", " ").replace(";", " ").split()


def _unknown(what: str, word: str, known: Collection[str]) -> str:
    hint = did_you_mean(word, known)
    return f"unknown {what} {word!r}" + (f"; {hint}" if hint else "")
