"""Gridwarden's own format: JSON on `up`, the words 'online' and 'offline' on `status`.

    {"ts": 1763692800123, "values": {"spo2": 97, "fall": false}, "attributes": {"firmware": "2.1"}}

or an array of such objects. `ts` is whole milliseconds since the Unix epoch or an RFC 3339 text
with its offset; without it the time of arrival counts. A value is a number or a boolean (1 or 0).
`attributes` are facts that are not numbers, 4096 bytes of JSON at most. `device`, if given, must
be the device of the topic. Other keys are refused: a misspelt `ts` would otherwise pass as "now".

'online' is a heartbeat of 1 and 'offline' a heartbeat of 0, both at the time of arrival.
"""

import math
from collections.abc import Mapping
from datetime import datetime

import orjson

from devices.errors import FormatError, RejectReason
from devices.formats.fields import MAX_ATTRIBUTES, Parsed
from devices.instant import Micros, to_micros
from devices.reading import Json, Observation
from devices.suggest import did_you_mean
from devices.topic import Direction, UpTopic

KEYS = ("ts", "values", "attributes", "device")

_OTHER_NAMES = {
    "time": "ts",
    "timestamp": "ts",
    "data": "values",
    "metrics": "values",
    "attrs": "attributes",
    "tags": "attributes",
}
_STATUS = {b"online": 1.0, b"offline": 0.0}


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observations of a native payload, at least one; FormatError(BAD_PAYLOAD) otherwise."""
    device = topic.device or ""
    if topic.direction is Direction.STATUS:
        return [_status(device, payload)]
    try:
        parsed: Parsed = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise _bad(f"payload is not JSON: {error}") from None
    if isinstance(parsed, list):
        if not parsed:
            raise _bad("payload is an empty array")
        return [_observation(device, item, f"[{i}]") for i, item in enumerate(parsed)]
    return [_observation(device, parsed, "")]


def _status(device: str, payload: bytes) -> Observation:
    try:
        return Observation(device, None, {"heartbeat": _STATUS[payload.strip()]})
    except KeyError:
        raise _bad(f"status is {_short(payload)}, not 'online' or 'offline'") from None


def _observation(device: str, item: Parsed, place: str) -> Observation:
    if not isinstance(item, dict):
        raise _bad(f"{place or 'payload'} is {_kind(item)}, not an object")
    unknown = item.keys() - KEYS
    if unknown:
        raise _bad(_unknown_key(min(unknown), place))
    values = _values(item.get("values"), place)
    attributes = _attributes(item.get("attributes"), place)
    if not values and not attributes:
        raise _bad(f"{place or 'payload'} has neither values nor attributes")
    return Observation(
        _device(item.get("device"), device, place), _time(item.get("ts"), place), values, attributes
    )


def _device(named: Parsed, device: str, place: str) -> str:
    if named is None:
        return device
    if not isinstance(named, str):
        raise _bad(f"'device'{place} is {_kind(named)}, not a string")
    return named


def _time(ts: Parsed, place: str) -> Micros | None:
    if ts is None:
        return None
    if type(ts) is int:
        return ts * 1_000
    if not isinstance(ts, str):
        raise _bad(f"'ts'{place} is {_kind(ts)}, not whole milliseconds or an RFC 3339 text")
    try:
        return to_micros(datetime.fromisoformat(ts))
    except (ValueError, OverflowError):
        raise _bad(f"'ts'{place} {_short(ts)} is not RFC 3339 with an offset") from None


def _values(given: Parsed, place: str) -> Mapping[str, float]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise _bad(f"'values'{place} is {_kind(given)}, not an object")
    values: dict[str, float] = {}
    for name, value in given.items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise _bad(f"value of {_short(name)}{place} is {_kind(value)}, not a number or boolean")
        values[name] = float(value)
    return values


def _attributes(given: Parsed, place: str) -> Mapping[str, Json]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise _bad(f"'attributes'{place} is {_kind(given)}, not an object")
    try:
        text = orjson.dumps(given)
    except TypeError as error:
        raise _bad(f"'attributes'{place} cannot be kept: {error}") from None
    if len(text) > MAX_ATTRIBUTES:
        raise _bad(
            f"'attributes'{place} takes {len(text)} bytes; at most {MAX_ATTRIBUTES} are kept"
        )
    if b"\\u0000" in text:
        raise _bad(f"'attributes'{place} contains the character U+0000")
    return given


def _unknown_key(key: str, place: str) -> str:
    meant = _OTHER_NAMES.get(key.lower())
    hint = f"did you mean {meant!r}?" if meant else did_you_mean(key[:64].lower(), KEYS)
    return f"unknown key {_short(key)}{place}; {hint}"


def _kind(value: Parsed) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "a boolean"}
    return "null" if value is None else names.get(type(value), f"the number {value}")


def _short(value: str | bytes) -> str:
    return repr(value) if len(value) <= 60 else f"{value[:57]!r}…"


def _bad(detail: str) -> FormatError:
    return FormatError(RejectReason.BAD_PAYLOAD, detail)
