"""Value templates of Home Assistant, in the forms that need no template engine. Pure.

    {{ value }}   {{ value_json.a.b }}   {{ value_json['a'][0] | float | round(1) }}

https://www.home-assistant.io/docs/configuration/templating/. Any other template is refused, never
guessed at; a template engine is not let near what a network sends.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from devices.errors import FormatError
from devices.formats.fields import Parsed, bad, json_value, short

MAX_LENGTH = 256
"""Characters of a template that is read."""

_WHOLE = re.compile(
    r"\s*\{\{-?\s*(value_json|value)\s*((?:[.\[][^|{}]*?)?)\s*((?:\|[^|{}]*?)*)\s*-?\}\}\s*"
)
_STEP = re.compile(
    r"""\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*'([^'\\]*)'\s*\]|\[\s*"([^"\\]*)"\s*\]|\[\s*([0-9]{1,4})\s*\]"""
)
_FILTER = re.compile(r"(float|int|is_defined|round)\s*(?:\(\s*([0-9]{0,2})\s*\))?")

_Change: TypeAlias = Callable[[Parsed], Parsed]
_Step: TypeAlias = "str | int"


@dataclass(frozen=True, slots=True)
class Template:
    """Where the value stands in the payload, and what is done with it. as_json: the payload is."""

    as_json: bool = False
    path: tuple[_Step, ...] = ()
    filters: tuple[tuple[str, int], ...] = ()

    def value(self, state: "State") -> Parsed:
        """The value, None where the payload does not hold one; FormatError if it cannot be read."""
        found = state.parsed() if self.as_json else state.text()
        for step in self.path:
            found = _inside(found, step)
        for name, digits in self.filters:
            if found is not None:
                found = _filtered(found, name, digits)
        return found


class State:
    """A payload that many templates may look into: it is parsed once."""

    def __init__(self, payload: bytes) -> None:
        self._payload = payload
        self._parsed: list[Parsed | FormatError] = []

    def text(self) -> str:
        """The payload as it is; FormatError if it is no text."""
        try:
            return self._payload.decode()
        except UnicodeDecodeError:
            raise bad(f"payload of {len(self._payload)} bytes is not UTF-8") from None

    def parsed(self) -> Parsed:
        """The payload as JSON; FormatError if it is none."""
        if not self._parsed:
            self._parsed.append(self._parse())
        (found,) = self._parsed
        if isinstance(found, FormatError):
            raise bad(found.detail)
        return found

    def _parse(self) -> "Parsed | FormatError":
        try:
            return json_value(self._payload)
        except FormatError as error:
            return error


@lru_cache(maxsize=4_096)
def parse(text: str) -> Template | None:
    """The template; None for any that is not of these forms. '' is the payload as it is."""
    if not text:
        return Template()
    whole = _WHOLE.fullmatch(text) if len(text) <= MAX_LENGTH else None
    if whole is None:
        return None
    root, path, filters = whole[1], _path(whole[2]), _filters(whole[3])
    if path is None or filters is None or (root == "value" and path):
        return None
    return Template(root == "value_json", path, filters)


def _path(text: str) -> tuple[_Step, ...] | None:
    steps: list[_Step] = []
    at = 0
    while at < len(text):
        step = _STEP.match(text, at)
        if step is None:
            return None
        word = next((w for w in step.groups()[:3] if w is not None), None)
        steps.append(int(step[4]) if word is None else word)
        at = step.end()
    return tuple(steps)


def _filters(text: str) -> tuple[tuple[str, int], ...] | None:
    found: list[tuple[str, int]] = []
    for part in text.split("|")[1:]:
        one = _FILTER.fullmatch(part.strip())
        if one is None or (one[2] and one[1] != "round"):
            return None
        found.append((one[1], int(one[2] or 0)))
    return tuple(found)


def _inside(given: Parsed, step: _Step) -> Parsed:
    if isinstance(given, dict) and isinstance(step, str):
        return given.get(step)
    if isinstance(given, list) and isinstance(step, int):
        return given[step] if step < len(given) else None
    return None


def _filtered(given: Parsed, name: str, digits: int) -> Parsed:
    if name == "is_defined":
        return given
    if not isinstance(given, str | int | float):
        raise bad(f"{short(given)} is not a number")
    try:
        number = float(given)
        if name == "float":
            return number
        return int(number) if name == "int" else round(number, digits)
    except (ValueError, OverflowError):
        raise bad(f"{short(given)} is not a number") from None
