"""Recorded readings as messages: a CSV of time,device,metric,value read, checked and grouped.

Optional columns: community (else one for the whole file) and attributes (a JSON object). Times are
RFC 3339 with an offset, or local times of a given zone. Pure but for the lines it is handed.
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import groupby
from typing import NamedTuple

import orjson

from devices import topic
from devices.errors import Problem
from devices.instant import Micros, to_datetime, to_micros
from devices.metric import UnknownMetricError, metric
from devices.reading import Json
from devices.simulator.message import Message

REQUIRED = ("time", "device", "metric", "value")
OPTIONAL = ("community", "attributes")
ARRIVAL = "arrival"
"""A further column, for readers who ask for it: when the service had the reading."""
SHOWN_PROBLEMS = 50


class Recorded(NamedTuple):
    """One line of the file: instants in µs since the Unix epoch, UTC; `attributes` as JSON text.

    arrival: `time` where the file does not say it.
    """

    line: int
    time: Micros
    community: str
    device: str
    metric: str
    value: float
    attributes: str
    arrival: Micros


@dataclass(frozen=True, slots=True)
class Reader:
    """How to read a file. community: for lines without one · zone: for times without an offset.

    arrivals: whether there may be a column `arrival`.
    """

    source: str
    community: str = ""
    zone: tzinfo | None = None
    arrivals: bool = False

    def read(self, lines: Iterable[str]) -> Iterator[Recorded | Problem]:
        """Every line as what it says, or as what is wrong with it; nothing else is yielded.

        A bad header is one problem, and ends the reading; so does what is no CSV at all.
        """
        table = csv.DictReader(lines)
        try:
            header = self._header(table.fieldnames or [])
        except csv.Error as error:
            header = Problem(self.source, 1, f"not readable as CSV: {error}")
        if header is not None:
            yield header
            return
        try:
            for row in table:
                yield self._row(table.line_num, row)
        except csv.Error as error:
            yield Problem(
                self.source, table.line_num + 1, f"not readable as CSV from here on: {error}"
            )

    def _header(self, names: Iterable[str]) -> Problem | None:
        optional = (*OPTIONAL, ARRIVAL) if self.arrivals else OPTIONAL
        missing = [name for name in REQUIRED if name not in names]
        unknown = [name for name in names if name not in REQUIRED + optional]
        if not missing and not unknown:
            return None
        what = f"missing columns {missing}" if missing else f"unknown columns {unknown}"
        wanted = ",".join(REQUIRED) + "[," + "][,".join(optional) + "]"
        return Problem(self.source, 1, what, f"the first line names the columns: {wanted}")

    def _row(self, line: int, row: Mapping[str, str | None]) -> Recorded | Problem:
        absent = [name for name in REQUIRED if row.get(name) is None]
        if absent or None in row:
            what = f"nothing in {', '.join(absent)}" if absent else "more fields than the header"
            return Problem(self.source, line, what, "quote a text that has commas in it")
        try:
            time = self._time(_cell(row, "time"))
            arrival = _cell(row, ARRIVAL)
            return Recorded(
                line,
                time,
                _code(_cell(row, "community") or self.community, "community"),
                _code(_cell(row, "device"), "device"),
                metric(_cell(row, "metric")).name,
                _number(_cell(row, "value")),
                _attributes(_cell(row, "attributes")),
                self._time(arrival) if arrival else time,
            )
        except (ValueError, UnknownMetricError) as error:
            return Problem(self.source, line, str(error))

    def _time(self, text: str) -> Micros:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise ValueError(f"time {text!r} is not RFC 3339, e.g. 2026-03-01T08:00:00Z") from None
        if moment.tzinfo is None and self.zone is None:
            raise ValueError(f"time {text!r} has no offset; add one, or give --time-zone")
        return to_micros(moment if moment.tzinfo else moment.replace(tzinfo=self.zone))


def messages(recorded: Iterable[Recorded]) -> Iterator[Message]:
    """Native messages, due at their time: consecutive values of one device at one instant in one.

    A metric said twice at one instant makes a second message.
    """
    for (time, community, device, attributes), rows in groupby(recorded, _together):
        address = topic.up(community, device)
        for values in _distinct(rows):
            body: dict[str, Json] = {"ts": _timestamp(time), "values": values}
            if attributes:
                body["attributes"] = orjson.loads(attributes)
            yield Message(time, address, orjson.dumps(body))


@dataclass(frozen=True, slots=True)
class Checked:
    """A file after its first reading: how many messages it makes, and what is wrong in it."""

    messages: int
    rows: int
    problems: list[Problem]
    bad: int


def check(lines: Iterable[str], reader: Reader) -> Checked:
    """Read all lines once; at most 50 problems are kept, all are counted."""
    problems: list[Problem] = []
    bad = rows = 0

    def good() -> Iterator[Recorded]:
        nonlocal bad, rows
        for row in reader.read(lines):
            if isinstance(row, Problem):
                bad += 1
                problems.extend([row] if bad <= SHOWN_PROBLEMS else [])
            else:
                rows += 1
                yield row

    count = sum(1 for _ in messages(good()))
    return Checked(count, rows, problems, bad)


def _together(row: Recorded) -> tuple[Micros, str, str, str]:
    return row.time, row.community, row.device, row.attributes


def _distinct(rows: Iterable[Recorded]) -> Iterator[dict[str, float]]:
    values: dict[str, float] = {}
    for row in rows:
        if row.metric in values:
            yield values
            values = {}
        values[row.metric] = row.value
    yield values


def _timestamp(time: Micros) -> int | str:
    """Milliseconds where they are whole, or else RFC 3339 with all of its digits."""
    if time % 1_000 == 0:
        return time // 1_000
    return to_datetime(time).isoformat()


def _cell(row: Mapping[str, str | None], name: str) -> str:
    return (row.get(name) or "").strip()


def _code(text: str, what: str) -> str:
    if not topic.CODE.fullmatch(text):
        hint = "; name it with --community" if what == "community" and not text else ""
        raise ValueError(f"{what} {text!r} is not a code (letters, digits, _ . -){hint}")
    return text


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"value {text!r} is not a number") from None
    if not math.isfinite(value):
        raise ValueError(f"value {text!r} is not a finite number")
    return value


def _attributes(text: str) -> str:
    if not text:
        return ""
    try:
        body = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"attributes {text!r} are not JSON: {error}") from None
    if not isinstance(body, dict):
        raise ValueError(f"attributes {text!r} are not a JSON object")  # noqa: TRY004 - a text
    return text
