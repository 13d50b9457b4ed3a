"""The records of a SenML pack, in JSON or in CBOR, with their base fields applied. Pure.

https://www.rfc-editor.org/rfc/rfc8428, sections 4 to 6. Whatever spoils the records that follow
(no array, a bad base field, another version, a field that must be understood) refuses the pack; any
other fault refuses its record. Of CBOR, only what SenML needs is read: no tag but the decimal
fraction's, no label twice, no nesting.
"""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from types import MappingProxyType

import cbor2

from devices.errors import FormatError
from devices.formats.fields import Object, Parsed, bad, json_value, nothing, short, unix_seconds
from devices.instant import Micros

MAX_BYTES = 262_144
MAX_DEPTH = 4
"""Containers within containers in CBOR: a pack needs two, a decimal fraction a third."""

MAX_NAME = 255
"""Characters of a resolved name."""

ABSOLUTE = 2**28
"""Seconds from which a time counts from the Unix epoch."""

NOW = 1.0
"""Seconds around the arrival that still mean 'now'."""

VERSION = 10

_BASE = frozenset({"bn", "bt", "bu", "bv", "bs", "bver"})
_VALUES = ("v", "vs", "vb", "vd")
_LABELS: Mapping[int, str] = MappingProxyType(
    {-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs"}
    | dict(enumerate(("n", "u", "v", "vs", "vb", "s", "t", "ut", "vd")))
)
_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-:./_")


@dataclass(frozen=True, slots=True)
class Record:
    """A resolved record; `value` is None where it has only a sum, `data` if it came as `vd`."""

    place: str
    name: str
    time: Micros | None
    unit: str
    value: float | str | bool | None
    sum: float | None
    data: bool


@dataclass(slots=True)
class _Base:
    """The base fields that are in effect."""

    name: str = ""
    time: float = 0.0
    unit: str = ""
    value: float | None = None
    sum: float | None = None

    def take(self, place: str, given: Object) -> None:
        """What this record replaces of them; FormatError spoils what follows, so the pack."""
        if "bn" in given:
            self.name = _text(place, "bn", given)
        if "bu" in given:
            self.unit = _text(place, "bu", given)
        if "bt" in given:
            self.time = _number(place, "bt", given)
        if "bv" in given:
            self.value = _number(place, "bv", given)
        if "bs" in given:
            self.sum = _number(place, "bs", given)

    def resolve(self, place: str, given: Object) -> Record | None:
        """The record with these applied; None where it holds base fields only."""
        label = _value_label(place, given)
        silent = label is None and "s" not in given
        if silent and not ("n" in given and (self.value, self.sum) != (None, None)):
            if _BASE.isdisjoint(given):
                raise bad(f"{place} has neither a value nor a sum nor a base field")
            return None
        return Record(
            place,
            self._name(place, given),
            self._time(place, given),
            _text(place, "u", given) if "u" in given else self.unit,
            self._value(place, given, label),
            _added(place, "s", given, self.sum),
            label == "vd",
        )

    def _name(self, place: str, given: Object) -> str:
        own = _text(place, "n", given) if "n" in given else ""
        if len(self.name) + len(own) > MAX_NAME:
            raise bad(f"{place} has a name of {len(self.name) + len(own)} characters, too long")
        name = self.name + own
        if not name:
            raise bad(f"{place} has no name")
        if not (_NAME.issuperset(name) and name[0].isalnum()):
            raise bad(f"{place} has the name {short(name)}, which SenML does not allow")
        return name

    def _time(self, place: str, given: Object) -> Micros | None:
        seconds = self.time + (_number(place, "t", given) if "t" in given else 0.0)
        if seconds < ABSOLUTE:
            if abs(seconds) <= NOW:
                return None
            raise bad(
                f"{place} has the time {seconds:g} s relative to its arrival, which a format does"
                " not know; send seconds since 1970"
            )
        time = unix_seconds(seconds)
        if time is None:
            raise bad(f"{place} has the time {seconds:g} s, which is no date")
        return time

    def _value(self, place: str, given: Object, label: str | None) -> float | str | bool | None:
        if label == "vb":
            flag = given["vb"]
            if not isinstance(flag, bool):
                raise bad(f"{place}: 'vb' is {short(flag)}, not a boolean")
            return flag
        if label in ("vs", "vd"):
            return _text(place, label, given)
        if label is None and "s" in given:
            return None
        return _added(place, "v", given, self.value)


def records_of(payload: bytes) -> tuple[list[Record], list[FormatError]]:
    """The resolved records and what is wrong with others; FormatError if the pack is refused."""
    if len(payload) > MAX_BYTES:
        raise bad(f"payload has {len(payload)} bytes; {MAX_BYTES} are read")
    base = _Base()
    records: list[Record] = []
    problems: list[FormatError] = []
    for number, given in enumerate(_pack(payload), 1):
        place = f"record {number}"
        base.take(place, given)
        try:
            record = base.resolve(place, given)
        except FormatError as error:
            problems.append(error)
            continue
        if record is not None:
            records.append(record)
    return records, problems


def _value_label(place: str, given: Object) -> str | None:
    labels = [label for label in _VALUES if label in given]
    if len(labels) > 1:
        raise bad(f"{place} has more than one value: {', '.join(labels)}")
    return labels[0] if labels else None


def _text(place: str, label: str, given: Object) -> str:
    text = given[label]
    if not isinstance(text, str):
        raise bad(f"{place}: {label!r} is {short(text)}, not a text")
    return text


def _number(place: str, label: str, given: Object) -> float:
    number = given[label]
    if isinstance(number, bool) or not isinstance(number, int | float) or not isfinite(number):
        raise bad(f"{place}: {label!r} is {short(number)}, not a number")
    return float(number)


def _added(place: str, label: str, given: Object, base: float | None) -> float | None:
    """A value or a sum with its base, the missing one being 0; None where both are missing."""
    if label not in given:
        return base
    total = _number(place, label, given) + (base or 0.0)
    if not isfinite(total):
        raise bad(f"{place}: {label!r} and its base are too large")
    return total


def _pack(payload: bytes) -> list[Object]:
    """The records by their JSON labels; FormatError if one is none, or is not to be read."""
    binary = bool(payload) and 0x80 <= payload[0] < 0xE0
    parsed = _cbor(payload) if binary else json_value(payload)
    if not isinstance(parsed, list):
        raise bad(f"payload is {short(parsed)}, not an array of records")
    if not parsed:
        raise nothing("the pack holds no record")
    pack = []
    for number, record in enumerate(parsed, 1):
        if not isinstance(record, dict):
            raise bad(f"record {number} is {short(record)}, not a map")
        given = _labelled(number, record) if binary else record
        _understood(f"record {number}", given)
        pack.append(given)
    return pack


def _understood(place: str, given: Object) -> None:
    for label in given:
        if label.endswith("_"):
            raise bad(f"{place} has the field {short(label)}, which must be understood and is not")
    if "bver" in given:
        version = _number(place, "bver", given)
        if not (1 <= version <= VERSION and version.is_integer()):
            raise bad(f"{place} is of version {version:g}; {VERSION} is understood")


def _labelled(number: int, record: Mapping[object, object]) -> Object:
    """A CBOR record by JSON labels; other integer labels than the registered ones are left out."""
    given: Object = {}
    for key, value in record.items():
        if type(key) is int:
            label = _LABELS.get(key)
        elif isinstance(key, str):
            label = key
        else:
            raise bad(f"record {number} has the label {short(key)}, not an integer or a text")
        if label in given:
            raise bad(f"record {number} has the field {short(label)} twice")
        if label is not None:
            given[label] = _plain(label, value)
    return given


def _plain(label: str, value: object) -> Parsed:
    """A CBOR value as JSON would have it; anything without such a form as its description."""
    if isinstance(value, bytes) and label == "vd":
        return base64.urlsafe_b64encode(value).decode().rstrip("=")
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return [short(value)]


def _cbor(payload: bytes) -> object:
    """The one data item that the payload is; FormatError if it is not that, or has other tags."""
    stream = io.BytesIO(payload)
    try:
        parsed: object = cbor2.CBORDecoder(
            stream,
            tag_hook=_no_tag,
            semantic_decoders=_TAGS,
            read_size=1,
            max_depth=MAX_DEPTH,
            allow_duplicate_keys=False,
        ).decode()
    except _CBOR_ERRORS as error:
        raise bad(f"payload is not CBOR that is read: {short(str(error))}") from None
    if stream.tell() != len(payload):
        raise bad(f"payload goes on after its CBOR ends, at byte {stream.tell()}")
    return parsed


def _no_tag(_value: object, _immutable: bool) -> object:
    raise ValueError("tag")


def _fraction(value: object, _immutable: bool) -> float:
    """Tag 4: an exponent of ten and a mantissa."""
    match value:
        case [int(exponent), int(mantissa)] if abs(exponent) <= 400:
            return float(Decimal(mantissa).scaleb(exponent))
    raise ValueError("decimal fraction")


_TAGS = dict.fromkeys((*range(300), 1_004, 43_000, 55_799), _no_tag) | {4: _fraction}
"""What stands for the decoders that cbor2 has of its own: they make dates, patterns, references."""

_CBOR_ERRORS = (
    cbor2.CBORError,
    ArithmeticError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
