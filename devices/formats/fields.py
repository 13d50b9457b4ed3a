"""What the vendors' formats share: JSON read safely, names, numbers, units and times. Pure.

A format names its fields in a table of `Field`; `values_of` reads what of them a message holds. A
field that cannot be read is a problem of that field alone: the others are kept.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import TypeAlias

import orjson

from devices.errors import FormatError, RejectReason
from devices.instant import Micros, to_micros
from devices.metric import BY_NAME, MetricKind
from devices.reading import Json, Observation
from devices.units import UnitError, to_metric

Parsed: TypeAlias = "str | int | float | bool | list[Parsed] | dict[str, Parsed] | None"
Object: TypeAlias = "dict[str, Parsed]"

MAX_ATTRIBUTES = 4_096
"""Bytes of JSON that one observation's attributes may take."""

_WORDS: Mapping[str, float] = MappingProxyType(
    dict.fromkeys(("true", "on", "yes", "open", "occupied", "detected", "leak", "alarm"), 1.0)
    | dict.fromkeys(("false", "off", "no", "closed", "free", "clear", "noleak", "normal"), 0.0)
)
_NO_WORDS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Field:
    """What a vendor's field means: a metric, the unit it comes in ('' for the metric's own).

    inverted: its true is our 0, as zigbee2mqtt's `contact` means closed · words: texts it may hold.
    """

    metric: str
    unit: str = ""
    inverted: bool = False
    words: Mapping[str, float] = field(default_factory=lambda: _NO_WORDS)


@dataclass(slots=True)
class Values:
    """Values by metric name, in the metric's unit, and what could not be read beside them."""

    values: dict[str, float] = field(default_factory=dict)
    problems: list[FormatError] = field(default_factory=list)

    def add(self, name: str, given: Parsed, meaning: Field) -> None:
        """Read one field; null is nothing said."""
        if given is None:
            return
        try:
            self.values[meaning.metric] = value_of(name, given, meaning)
        except FormatError as error:
            self.problems.append(error)

    def observed(
        self, device: str, time: Micros | None, attributes: Mapping[str, Json] | None = None
    ) -> list[Observation]:
        """One observation of these; FormatError where there is nothing but problems."""
        if not self.values and not attributes:
            raise self.problems[0] if self.problems else nothing("nothing in it is a known metric")
        return [
            Observation(device, time, self.values, limited(attributes or {}), tuple(self.problems))
        ]


def values_of(given: Mapping[str, Parsed], table: Mapping[str, Field]) -> Values:
    """What the table knows of this object's fields; others are left alone."""
    read = Values()
    for name, meaning in table.items():
        if name in given:
            read.add(name, given[name], meaning)
    return read


def value_of(name: str, given: Parsed, meaning: Field) -> float:
    """A field's value in its metric's unit; FormatError(BAD_PAYLOAD) if it is not a number."""
    metric = BY_NAME[meaning.metric]
    number = _number(
        given, meaning.words, words=metric.kind in (MetricKind.STATE, MetricKind.EVENT)
    )
    if number is None:
        raise bad(f"{short(name)} is {short(given)}, not a number")
    if meaning.inverted:
        return 0.0 if number else 1.0
    try:
        value = to_metric(number, meaning.unit, metric)
    except UnitError as error:
        raise bad(f"{short(name)}: {error}") from None
    if not math.isfinite(value):
        raise bad(f"{short(name)} is {short(given)} {meaning.unit}, beyond all numbers")
    return value


def _number(given: Parsed, own: Mapping[str, float], *, words: bool) -> float | None:
    if isinstance(given, bool | int | float):
        return _finite(given)
    if not isinstance(given, str):
        return None
    text = given.strip().lower()
    known = own if text in own or not words else _WORDS
    if text in known:
        return known[text]
    try:
        return _finite(float(text)) if len(text) <= 40 and "_" not in text else None
    except ValueError:
        return None


def _finite(number: float) -> float | None:
    try:
        number = float(number)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def json_object(payload: bytes) -> Object:
    """The payload as a JSON object; FormatError(BAD_PAYLOAD) otherwise."""
    parsed = json_value(payload)
    if not isinstance(parsed, dict):
        raise bad(f"payload is {short(parsed)}, not a JSON object")
    return parsed


def json_value(payload: bytes) -> Parsed:
    """The payload as JSON; FormatError(BAD_PAYLOAD) otherwise."""
    try:
        parsed: Parsed = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise bad(f"payload is not JSON: {error}") from None
    return parsed


def text_of(given: Mapping[str, Parsed], name: str) -> str | None:
    """A field that is a text; None where it is not there, or something else."""
    value = given.get(name)
    return value if isinstance(value, str) else None


def object_of(given: Mapping[str, Parsed], name: str) -> Object:
    """A field that is an object; {} where it is not there, or something else."""
    value = given.get(name)
    return value if isinstance(value, dict) else {}


def instant_of(text: Parsed) -> Micros | None:
    """An RFC 3339 text with its offset as an instant; None for any other: it tells no instant."""
    if not isinstance(text, str) or len(text) > 64:
        return None
    try:
        return to_micros(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def unix_seconds(given: Parsed) -> Micros | None:
    """Seconds since the Unix epoch, UTC, as an instant; None if it is not such a number."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    number = _finite(given)
    return None if number is None or abs(number) > 1e11 else round(number * 1_000_000)


def limited(attributes: Mapping[str, Json]) -> Mapping[str, Json]:
    """The attributes, if they can be kept; FormatError(BAD_PAYLOAD) if not."""
    if not attributes:
        return attributes
    try:
        text = orjson.dumps(attributes)
    except TypeError as error:
        raise bad(f"what it says beside numbers cannot be kept: {error}") from None
    if len(text) > MAX_ATTRIBUTES:
        raise bad(f"what it says beside numbers takes {len(text)} bytes; {MAX_ATTRIBUTES} are kept")
    if b"\\u0000" in text:
        raise bad("what it says beside numbers contains the character U+0000")
    return attributes


def facts(given: Mapping[str, Parsed], *names: str) -> dict[str, Json]:
    """Those of these fields that hold a text, a number or a boolean."""
    return {n: v for n in names if isinstance(v := given.get(n), str | int | float | bool)}


def short(value: object) -> str:
    """A value as it may stand in an explanation."""
    try:
        text = repr(value)
    except RecursionError:
        return "a value nested too deep to show"
    return text if len(text) <= 60 else text[:57] + "…"


def bad(detail: str) -> FormatError:
    """The payload cannot be read."""
    return FormatError(RejectReason.BAD_PAYLOAD, detail)


def nothing(detail: str) -> FormatError:
    """The payload is understood and tells nothing that is stored of a device."""
    return FormatError(RejectReason.NO_READING, detail)
