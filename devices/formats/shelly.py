"""Shelly Gen2 and later: RPC notifications and component statuses over MQTT.

https://shelly-api-docs.shelly.cloud/gen2/General/Notifications,
https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt and the component pages beside
it (Switch, Input, EM, EMData, PM1, DevicePower, Smoke, Flood, PresenceZone, BTHomeDevice).

Topics: `{prefix}/events/rpc` (NotifyStatus, NotifyFullStatus, NotifyEvent),
`{prefix}/status/{component}`, `{prefix}/online` ('true' or 'false', the device's heartbeat). The
device is the notification's `src`, else the prefix: they are the same unless the owner changed the
prefix. The time is `params.ts` or the event's `ts`, seconds since 1970; a clock that was never set
tells none.

A component numbered 0, or without a number, is the device's own. Any other one, and every input
(whose `state` would pass for that of the relay), is a device `{device}/{component}`, a phase of a
meter `{device}/em:0/{a|b|c}`: a NotifyStatus holds only what changed, so what stands beside it
cannot decide.

Traps. Energy is in Wh. `temperature` within a switch is that of the device's inside: it is told of
`{device}/switch:0`. A battery device on external power reports 0 % of a battery that is not in it.
A key that is null has vanished: `errors: null` is no fault any more. A `bthomesensor` does not say
what it measures; that stands in its configuration alone, so it is not read. A `bthomedevice` has
its own time, as the gateway repeats what it heard before.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from devices.errors import FormatError
from devices.formats.fields import (
    Field,
    Object,
    Parsed,
    Values,
    bad,
    json_object,
    nothing,
    object_of,
    short,
    text_of,
    unix_seconds,
    values_of,
)
from devices.instant import Micros
from devices.reading import Json, Observation
from devices.topic import UpTopic

_METER = {
    "apower": Field("power"),
    "act_power": Field("power"),
    "voltage": Field("voltage"),
    "current": Field("current"),
}
_OUTPUT = _METER | {"output": Field("switched_on")}
_ALARM_ERRORS = ("smoke", "flood")

TABLES: Mapping[str, Mapping[str, Field]] = {
    "switch": _OUTPUT,
    "light": _OUTPUT,
    "cover": _METER,
    "pm1": _METER,
    "em1": _METER,
    "em": {"total_act_power": Field("power"), "total_current": Field("current")},
    "emdata": {"total_act": Field("energy", "Wh")},
    "em1data": {"total_act_energy": Field("energy", "Wh")},
    "humidity": {"rh": Field("humidity")},
    "illuminance": {"lux": Field("illuminance")},
    "smoke": {"alarm": Field("smoke")},
    "flood": {"alarm": Field("water_leak")},
    "input": {"state": Field("switched_on")},
    "presencezone": {"value": Field("presence")},
    "wifi": {"rssi": Field("rssi")},
    "bthomedevice": {"rssi": Field("rssi"), "battery": Field("battery")},
}
"""Component type to its fields; temperature, devicepower, phases and energies are read apart."""

_BATTERY = {"V": Field("battery_voltage"), "percent": Field("battery")}
_SAME_METER = {"emdata": "em", "em1data": "em1"}
_NEVER_OWN = frozenset({"input", "bthomedevice", "presencezone"})
_PUSHES = frozenset({"single_push", "double_push", "triple_push", "long_push"})
_STATUS = frozenset({"NotifyStatus", "NotifyFullStatus"})
_ONLINE = {"true": 1.0, "false": 0.0}
_CLOCK_SET = 1_000_000_000 * 1_000_000
"""2001-09-09, long before the first of these devices: what lies before is no clock's time."""


@dataclass(slots=True)
class _Said:
    """What a message said so far: values by device and time, and events."""

    device: str
    time: Micros | None
    values: dict[tuple[str, Micros | None], Values] = field(default_factory=dict)
    unread: list[str] = field(default_factory=list)

    def at(self, part: str = "", time: Micros | None = None) -> Values:
        """Where the values of this part go."""
        key = _below(self.device, part), self.time if time is None else time
        return self.values.setdefault(key, Values())

    def observations(self) -> list[Observation]:
        """One for each device and time; FormatError where nothing was good."""
        seen = [
            Observation(device, time, read.values, {}, tuple(read.problems))
            for (device, time), read in self.values.items()
            if read.values or read.problems
        ]
        if any(one.values for one in seen):
            return seen
        if seen:
            raise seen[0].problems[0]
        raise nothing(f"nothing in it is a known metric: {short(', '.join(self.unread))}")


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observations of a message; FormatError where it holds none."""
    prefix, kind, component = _place(topic.original)
    if kind == "online":
        return [_online(prefix, payload)]
    given = json_object(payload)
    if kind == "status":
        said = _Said(prefix, None)
        _component(said, component, given)
        return said.observations()
    return _notified(text_of(given, "src") or prefix, given)


def _place(topic: str) -> tuple[str, str, str]:
    """Prefix, kind and component; a topic that is not known leaves it to the payload."""
    levels = topic.split("/")
    if len(levels) > 1 and levels[-1] == "online":
        return "/".join(levels[:-1]), "online", ""
    if len(levels) > 2:
        prefix, last = "/".join(levels[:-2]), levels[-1]
        if levels[-2] == "status":
            return prefix, "status", last
        if levels[-2:] == ["events", "rpc"]:
            return prefix, "events", ""
        if levels[-2] == "command":
            raise nothing("a command to a device")
    if len(levels) > 1 and levels[-1] == "command":
        raise nothing("a command to a device")
    return "", "", ""


def _online(prefix: str, payload: bytes) -> Observation:
    word = payload.decode(errors="replace").strip()
    if word not in _ONLINE:
        raise bad(f"online is {short(word)}, not 'true' or 'false'")
    return Observation(prefix, None, {"heartbeat": _ONLINE[word]})


def _notified(device: str, given: Object) -> list[Observation]:
    method = text_of(given, "method")
    if method is None:
        if "result" in given or "error" in given:
            raise nothing("an answer to a command")
        raise bad("it has no 'method': it is no notification")
    if not method.startswith("Notify"):
        raise nothing(f"a command to a device: {short(method)}")
    params = given.get("params")
    if not isinstance(params, dict):
        raise bad(f"'params' is {short(params)}, not an object")
    time = _instant(params.get("ts"))
    if method in _STATUS:
        return _statuses(_Said(device, time), params)
    if method == "NotifyEvent":
        return _events(device, time, params)
    raise bad(f"method {short(method)} is not known")


def _instant(given: Parsed) -> Micros | None:
    time = unix_seconds(given)
    return None if time is None or time < _CLOCK_SET else time


def _statuses(said: _Said, params: Object) -> list[Observation]:
    for name, value in params.items():
        if name == "ts" or value is None:
            continue
        if isinstance(value, dict):
            _component(said, name, value)
        else:
            said.at().problems.append(bad(f"{short(name)} is {short(value)}, not an object"))
    return said.observations()


def _component(said: _Said, name: str, given: Object) -> None:
    """Read one component's status into what its message said."""
    kind, _, number = name.partition(":")
    part = _part(kind, number)
    time = _instant(given.get("last_updated_ts")) if kind == "bthomedevice" else None
    read = said.at(part, time)
    if kind in TABLES:
        _merge(read, values_of(given, TABLES[kind]))
    elif kind == "temperature":
        _degrees(read, given)
    elif kind == "devicepower":
        _battery(read, given)
    else:
        said.unread.append(name)
    _energies(said, kind, number, given)
    if "temperature" in given and kind in TABLES:
        _degrees(said.at(f"{kind}:{number}"), object_of(given, "temperature"))
    if kind in _ALARM_ERRORS and "errors" in given:
        read.values["fault"] = 1.0 if given["errors"] else 0.0


def _part(kind: str, number: str) -> str:
    """Below which name a component's values stand; '' for the device itself."""
    if kind not in _NEVER_OWN and number in ("", "0"):
        return ""
    kind = _SAME_METER.get(kind, kind)
    return f"{kind}:{number}" if number else kind


def _below(device: str, part: str) -> str:
    return "/".join(name for name in (device, part) if name)


def _merge(into: Values, more: Values) -> None:
    into.values |= more.values
    into.problems += more.problems


def _degrees(read: Values, given: Object) -> None:
    """The same temperature twice; Fahrenheit counts where Celsius is not there."""
    if given.get("tC") is not None:
        read.add("tC", given["tC"], Field("temperature"))
    else:
        read.add("tF", given.get("tF"), Field("temperature", "F"))


def _battery(read: Values, given: Object) -> None:
    if object_of(given, "external").get("present") is not True:
        _merge(read, values_of(object_of(given, "battery"), _BATTERY))


def _energies(said: _Said, kind: str, number: str, given: Object) -> None:
    """The counter of a channel, and what a meter tells of each phase."""
    if kind in TABLES and "aenergy" in given:
        counted = object_of(given, "aenergy").get("total")
        said.at(_part(kind, number)).add("aenergy.total", counted, Field("energy", "Wh"))
    if kind not in ("em", "emdata"):
        return
    for phase in "abc":
        table = {
            f"{phase}_act_power": Field("power"),
            f"{phase}_voltage": Field("voltage"),
            f"{phase}_current": Field("current"),
            f"{phase}_total_act_energy": Field("energy", "Wh"),
        }
        if not table.keys().isdisjoint(given):
            _merge(said.at(f"em:{number or '0'}/{phase}"), values_of(given, table))


def _events(device: str, time: Micros | None, params: Object) -> list[Observation]:
    """Pushes of buttons; each event has its own time."""
    events = params.get("events")
    if not isinstance(events, list):
        raise bad(f"'events' is {short(events)}, not a list")
    seen = list(_pushes(device, time, events))
    problems = [bad(f"event {short(e)} is no object") for e in events if not isinstance(e, dict)]
    if seen:
        seen[0] = _with(seen[0], problems)
        return seen
    raise problems[0] if problems else nothing(f"no event of a button: {_names(events)}")


def _pushes(device: str, time: Micros | None, events: Iterable[Parsed]) -> Iterator[Observation]:
    for event in events:
        if not isinstance(event, dict) or text_of(event, "event") not in _PUSHES:
            continue
        component = text_of(event, "component") or ""
        facts: dict[str, Json] = {"component": component[:64], "event": str(event["event"])}
        button = event.get("idx")
        if isinstance(button, int) and not isinstance(button, bool) and abs(button) < 256:
            facts["button"] = button
        when = _instant(event.get("ts"))
        yield Observation(
            _below(device, component), time if when is None else when, {"button": 1.0}, facts
        )


def _with(one: Observation, problems: list[FormatError]) -> Observation:
    return Observation(one.device, one.time, one.values, one.attributes, tuple(problems))


def _names(events: Iterable[Parsed]) -> str:
    return short(", ".join(str(e.get("event")) for e in events if isinstance(e, dict)))
