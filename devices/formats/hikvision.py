"""Hikvision access controllers: the events of their doors, as JSON.

Two spellings of one event are read. The record of an event search has `major`, `minor`, `time`
(https://open.hikvision.com/hardware/structures/NET_DVR_ACS_ALARM_INFO.html), alone, in the
`payload` of a bridge to MQTT, or in the `InfoList` of `AcsEvent`. The pushed ISAPI message has
`dateTime`, `macAddress` and, in `AccessControllerEvent`, `majorEventType` and `subEventType`.

The device is `{controller}/{door}`: the controller is its `macAddress`, or else `deviceName` (but
not the factory's "Access Controller", which all of them have), or else the `topic` that a bridge
was given; the door is `doorNo`. What concerns no door is told of the controller, what concerns a
card reader of `{controller}/reader{cardReaderNo}`. Where no controller is named the device is "",
and the door stands in the attributes. `serialNo` counts events; it is no serial number of a device.

`time` has its offset; one without is no instant. An event of the past (`currentEvent` false)
without an instant is refused: its arrival tells nothing of when it was.

Only the codes below are read, named MINOR_… in the vendor's SDK; all others are refused with their
numbers.
- 0x1b (opened without leave) and 0x1c (open too long) say as well that the door is open.
- 0x408 of the major type 1 is an alarm input, not the tamper contact of the case.
- A lock that shuts, a released exit button, and what only repeats another event tell nothing.
The card's number is kept as the credential; the holder's name and staff number never are.
"""

from collections.abc import Mapping

from devices.errors import FormatError
from devices.formats.fields import (
    Object,
    Parsed,
    bad,
    instant_of,
    json_object,
    limited,
    nothing,
    object_of,
    short,
    text_of,
)
from devices.metric import BY_NAME
from devices.reading import Json, Observation
from devices.topic import UpTopic

_FACTORY_NAME = "Access Controller"
_ALARM, _EXCEPTION, _EVENT = 1, 2, 5
MAX_LISTED = 1_000
"""Events of one search that are read; the vendor's own limit is far lower."""

_GRANTED = {
    0x01: "card",
    0x02: "card and password",
    0x10: "several persons",
    0x22: "super password",
    0x26: "fingerprint",
    0x28: "card and fingerprint",
    0x2B: "card, fingerprint and password",
    0x2E: "fingerprint and password",
    0x36: "face and fingerprint",
    0x39: "face and password",
    0x3C: "face and card",
    0x3F: "face, password and fingerprint",
    0x42: "face, card and fingerprint",
    0x45: "staff number and fingerprint",
    0x48: "staff number, fingerprint and password",
    0x4B: "face",
    0x4D: "staff number and face",
    0x65: "staff number and password",
}
_DENIED = {
    0x03: "card and password: wrong",
    0x04: "card and password: timed out",
    0x05: "card and password: too many attempts",
    0x06: "no permission",
    0x07: "outside the permitted hours",
    0x08: "card expired",
    0x09: "no such card",
    0x0A: "anti-passback",
    0x0B: "interlocked door is not closed",
    0x0C: "card is of no group for several persons",
    0x0D: "outside the hours for several persons",
    0x0E: "permission of a supervisor was not given",
    0x0F: "remote permission was not given",
    0x24: "several persons: timed out",
    0x27: "fingerprint: wrong",
    0x29: "card and fingerprint: wrong",
    0x2A: "card and fingerprint: timed out",
    0x2C: "card, fingerprint and password: wrong",
    0x2D: "card, fingerprint and password: timed out",
    0x2F: "fingerprint and password: wrong",
    0x30: "fingerprint and password: timed out",
    0x31: "no such fingerprint",
    0x37: "face and fingerprint: wrong",
    0x38: "face and fingerprint: timed out",
    0x3A: "face and password: wrong",
    0x3B: "face and password: timed out",
    0x3D: "face and card: wrong",
    0x3E: "face and card: timed out",
    0x40: "face, password and fingerprint: wrong",
    0x41: "face, password and fingerprint: timed out",
    0x43: "face, card and fingerprint: wrong",
    0x44: "face, card and fingerprint: timed out",
    0x46: "staff number and fingerprint: wrong",
    0x47: "staff number and fingerprint: timed out",
    0x49: "staff number, fingerprint and password: wrong",
    0x4A: "staff number, fingerprint and password: timed out",
    0x4C: "face: wrong",
    0x4E: "staff number and face: wrong",
    0x4F: "staff number and face: timed out",
    0x50: "face not recognized",
    0x66: "staff number and password: wrong",
    0x67: "staff number and password: timed out",
}
_DOOR: Mapping[tuple[int, int], Mapping[str, float]] = {
    (_EVENT, 0x15): {"door_unlocked": 1.0},
    (_EVENT, 0x17): {"button": 1.0},
    (_EVENT, 0x19): {"door_open": 1.0},
    (_EVENT, 0x1A): {"door_open": 0.0},
    (_EVENT, 0x1B): {"door_forced": 1.0, "door_open": 1.0},
    (_EVENT, 0x1C): {"door_held_open": 1.0, "door_open": 1.0},
    (_EVENT, 0x25): {"doorbell": 1.0},
    (_ALARM, 0x40A): {"sos": 1.0},
}
_REASONS = {
    (_EVENT, 0x17): "exit button",
    (_ALARM, 0x40A): "duress",
    (_ALARM, 0x41C): "panic button",
}
_CONTROLLER: Mapping[tuple[int, int], Mapping[str, float]] = {
    (_ALARM, 0x404): {"tamper": 1.0},
    (_ALARM, 0x405): {"tamper": 0.0},
    (_ALARM, 0x41C): {"sos": 1.0},
    (_EXCEPTION, 0x400): {"heartbeat": 1.0},
    (_EXCEPTION, 0x403): {"battery_low": 1.0},
    (_EXCEPTION, 0x404): {"battery_low": 0.0},
}
_READER: Mapping[tuple[int, int], Mapping[str, float]] = {
    (_ALARM, 0x406): {"tamper": 1.0},
    (_ALARM, 0x407): {"tamper": 0.0},
    (_EXCEPTION, 0x409): {"heartbeat": 0.0},
    (_EXCEPTION, 0x40A): {"heartbeat": 1.0},
}
_UNTOLD = {
    (_EVENT, 0x13): "the door may stay open from now on",
    (_EVENT, 0x14): "the door may stay open no longer",
    (_EVENT, 0x16): "the lock shut",
    (_EVENT, 0x18): "the exit button was released",
    (_EVENT, 0x1D): "an alarm output was switched on",
    (_EVENT, 0x1E): "an alarm output was switched off",
    (_EVENT, 0x1F): "the door stays locked from now on",
    (_EVENT, 0x20): "the door stays locked no longer",
    (_EVENT, 0x33): "the centre was called",
    (_ALARM, 0x40C): "many failed reads, each of which was told",
    (_ALARM, 0x41D): "the panic button was reset",
    (_EXCEPTION, 0x405): "mains power is lost",
    (_EXCEPTION, 0x406): "mains power is back",
}


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:  # noqa: ARG001
    """The observations of a message; FormatError where it holds none."""
    given = json_object(payload)
    if "payload" not in given:
        return _told(given, "")
    source = (text_of(given, "topic") or "").strip()
    body = given["payload"]
    if isinstance(body, dict):
        return _told(body, source)
    if given.get("connected") is False and source:
        return [Observation(source, None, {"heartbeat": 0.0})]
    raise bad(f"'payload' is {short(body)}, not an event")


def _told(given: Object, source: str) -> list[Observation]:
    alert = object_of(given, "EventNotificationAlert") or given
    if "AcsEvent" in alert:
        return _listed(object_of(alert, "AcsEvent").get("InfoList"), source)
    if "AccessControllerEvent" in alert:
        event = object_of(alert, "AccessControllerEvent")
        return [_event(alert | event, source, "majorEventType", "subEventType")]
    if "eventType" in alert:
        kind = alert["eventType"]
        raise bad(f"'eventType' is {short(kind)}, and there is no 'AccessControllerEvent'")
    return [_event(alert, source, "major", "minor")]


def _listed(events: Parsed, source: str) -> list[Observation]:
    """The events of a search; what cannot be read of one is a problem of the first other."""
    if not isinstance(events, list):
        raise bad(f"'InfoList' is {short(events)}, not a list of events")
    if len(events) > MAX_LISTED:
        raise bad(f"'InfoList' has {len(events)} events; {MAX_LISTED} are read")
    seen: list[Observation] = []
    problems: list[FormatError] = []
    for event in events:
        try:
            if not isinstance(event, dict):
                raise bad(f"an event in 'InfoList' is {short(event)}, not an object")
            seen.append(_event(event, source, "major", "minor"))
        except FormatError as error:
            problems.append(error)
    if not seen:
        raise problems[0] if problems else nothing("'InfoList' is empty")
    first = seen[0]
    seen[0] = Observation(first.device, first.time, first.values, first.attributes, tuple(problems))
    return seen


def _event(given: Object, source: str, major_name: str, minor_name: str) -> Observation:
    code = (_number(given, major_name), _number(given, minor_name))
    if code in _UNTOLD:
        raise nothing(f"{_named(code)}: {_UNTOLD[code]}")
    values = _meaning(code)
    time = instant_of(given.get("time", given.get("dateTime")))
    if time is None and given.get("currentEvent") is False:
        raise bad(f"{_named(code)} is of the past, but has no time with its offset")
    controller = _controller(given, source)
    door = _count(given.get("doorNo")) if code not in _CONTROLLER else None
    facts = _facts(given, code, values)
    if code in _READER:
        device = f"{controller}/reader{_number(given, 'cardReaderNo')}" if controller else ""
    elif door and controller:
        device = f"{controller}/{door}"
    else:
        device = controller
        facts |= {"door": door} if door else {}
    return Observation(device, time, values, limited(facts))


def _meaning(code: tuple[int, int]) -> Mapping[str, float]:
    major, minor = code
    if major == _EVENT and minor in _GRANTED:
        return {"access_granted": 1.0}
    if major == _EVENT and minor in _DENIED:
        return {"access_denied": 1.0}
    for table in (_DOOR, _CONTROLLER, _READER):
        if code in table:
            return table[code]
    raise bad(f"{_named(code)} is no known event of an access controller")


def _facts(given: Object, code: tuple[int, int], values: Mapping[str, float]) -> dict[str, Json]:
    """What is kept beside an occurrence; a state has nothing beside it."""
    said: dict[str, Json] = {}
    if not any(BY_NAME[name].momentary for name in values):
        return said
    card = given.get("cardNo")
    if isinstance(card, str | int) and not isinstance(card, bool) and str(card).strip():
        said["credential"] = str(card).strip()
    reasons = _GRANTED | _DENIED if code[0] == _EVENT else {}
    reason = _REASONS.get(code) or reasons.get(code[1])
    if reason:
        said["reason"] = reason
    return said


def _controller(given: Object, source: str) -> str:
    name = (text_of(given, "deviceName") or "").strip()
    known = "" if name == _FACTORY_NAME else name
    return (text_of(given, "macAddress") or "").strip() or known or source


def _number(given: Object, name: str) -> int:
    number = _count(given.get(name))
    if number is None:
        raise bad(f"{name!r} is {short(given.get(name))}, not the number of an event")
    return number


def _count(value: Parsed) -> int | None:
    """A whole number of at most nine digits, as a number or as a text."""
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 9:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1_000_000_000:
        return value
    return None


def _named(code: tuple[int, int]) -> str:
    return f"major {code[0]} minor {code[1]} (0x{code[1]:x})"
