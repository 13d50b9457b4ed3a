"""The compact notation of a series: what one device says of one metric, step by step.

    97 x5  90..88  _ x3  offline  1{credential: A7}

Items, with spaces between them; each fills one step of the test's interval, the first that at which
the test starts. A number is a reading; `90..88` one reading for each whole number on the way, up or
down (`90..89/0.5` for other steps); `_` is a step without a reading; `offline` and `online` are the
device's words. `x5` after an item repeats it until it has come five times. An event may carry
attributes in braces.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rules.errors import Complaint

MAX_STEPS = 100_000
"""Steps of one series; more are taken for a mistake."""

_NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_ITEM = re.compile(
    rf"""
    (?: (?P<gap>_) | (?P<word>online|offline)
      | (?P<first>{_NUMBER})\.\.(?P<last>{_NUMBER})(?:/(?P<by>{_NUMBER}))?
      | (?P<value>{_NUMBER})(?P<braces>\{{[^{{}}]*\}})? )
    (?:\ *x(?P<times>\d+))?
    (?=\s|$)
    """,
    re.VERBOSE,
)
_WORD = re.compile(r"[^\s{]*\{[^{}]*\}\S*|\S+")
_ATTRIBUTE = re.compile(r"\s*([a-z][a-z0-9_]*)\s*:\s*([^\s,][^,]*?)\s*")
_HINT = "write numbers, 94..96, _, online, offline, each with x5 to repeat it"
_MEANT = {
    "unknown": "write '_' for a step in which nothing is heard, or 'offline'",
    "true": "write 1",
    "false": "write 0",
    "on": "write 1",
    "off": "write 0",
}


class Point(NamedTuple):
    """What is said at one step, counting from 0; online: True or False for the device's words.

    attributes: of an event, by name.
    """

    step: int
    value: float
    online: bool | None
    attributes: Mapping[str, str]


class Series(NamedTuple):
    """What is said, ascending by step; how many steps it fills; and what is wrong in it."""

    points: tuple[Point, ...]
    steps: int
    complaints: tuple[Complaint, ...]


class _Said(NamedTuple):
    value: float
    online: bool | None = None
    attributes: Mapping[str, str] = {}


def read_series(text: str) -> Series:
    """The series that this text states, as far as it can be understood."""
    reader = _Reader(text)
    said = list(reader.steps())
    points = [Point(step, *one) for step, one in enumerate(said) if one is not None]
    return Series(tuple(points), len(said), tuple(reader.complaints))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self.complaints: list[Complaint] = []

    def steps(self) -> Iterator[_Said | None]:
        """What is said at each step, None where nothing."""
        filled = 0
        for item in self._items():
            said = self._said(item)
            times = int(item["times"] or 1)
            if times == 0:
                self._complain(item.start(), "an item is repeated 0 times", "leave it out")
            filled += len(said) * times
            if filled > MAX_STEPS:
                hint = "use a longer interval, or 'readings' with their times"
                self._complain(item.start(), f"more than {MAX_STEPS} steps", hint)
                return
            yield from said * times

    def _items(self) -> Iterator[re.Match[str]]:
        place = 0
        while word := _WORD.search(self._text, place):
            item = _ITEM.match(self._text, word.start())
            place = item.end() if item else word.end()
            if item:
                yield item
            else:
                what = f"{word.group()!r} is not understood"
                self._complain(word.start(), what, _MEANT.get(word.group(), _HINT))
        if not self._text.strip():
            self._complain(0, "a series without anything in it", _HINT)

    def _said(self, item: re.Match[str]) -> list[_Said | None]:
        if item["gap"]:
            return [None]
        if item["word"]:
            online = item["word"] == "online"
            return [_Said(float(online), online)]
        if item["first"]:
            return [_Said(value) for value in self._range(item)]
        return [_Said(float(item["value"]), None, self._attributes(item))]

    def _range(self, item: re.Match[str]) -> list[float]:
        first, last = float(item["first"]), float(item["last"])
        by = abs(float(item["by"] or 1))
        if by == 0:
            self._complain(item.start(), "a range in steps of 0", "write e.g. 94..96/0.5")
            return []
        count = math.floor(abs(last - first) / by + 1e-9) + 1
        if count > MAX_STEPS:
            self._complain(item.start(), f"more than {MAX_STEPS} steps", "widen the steps")
            return []
        sign = math.copysign(by, last - first)
        return [round(first + sign * number, 9) for number in range(count)]

    def _attributes(self, item: re.Match[str]) -> Mapping[str, str]:
        braces = item["braces"]
        if not braces:
            return {}
        found = [(part, _ATTRIBUTE.fullmatch(part)) for part in braces[1:-1].split(",")]
        for part, pair in found:
            if pair is None:
                what = f"{part.strip()!r} is no attribute"
                self._complain(item.start("braces"), what, "write e.g. 1{credential: A7}")
        return {pair[1]: pair[2] for _, pair in found if pair}

    def _complain(self, place: int, what: str, hint: str) -> None:
        self.complaints.append(Complaint(place + 1, what, hint))
