"""zigbee2mqtt: one topic per device below the base topic, a JSON object of its exposes.

https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html. The device is the friendly
name, what follows the first level of the original topic. There is no time in a message; it is dated
by its arrival. `contact: true` means that the two halves touch: closed. `<name>/availability` is
the device's heartbeat, `bridge/state` that of the bridge, a device of the base topic's name.
Messages of the bridge about itself, and commands (`…/set`, `…/get`), tell no reading.
"""

from devices.formats.fields import (
    Field,
    Object,
    bad,
    json_value,
    nothing,
    short,
    text_of,
    values_of,
)
from devices.reading import Observation
from devices.topic import UpTopic

FIELDS = {
    "battery": Field("battery"),
    "battery_low": Field("battery_low"),
    "voltage": Field("battery_voltage", "mV"),
    "contact": Field("door_open", inverted=True),
    "occupancy": Field("motion"),
    "presence": Field("presence"),
    "vibration": Field("vibration"),
    "tamper": Field("tamper"),
    "water_leak": Field("water_leak"),
    "smoke": Field("smoke"),
    "gas": Field("gas"),
    "carbon_monoxide": Field("carbon_monoxide"),
    "co": Field("co_concentration"),
    "co2": Field("co2_concentration"),
    "pm25": Field("pm2_5"),
    "pm10": Field("pm10"),
    "temperature": Field("temperature"),
    "humidity": Field("humidity"),
    "pressure": Field("air_pressure"),
    "illuminance": Field("illuminance"),
    "illuminance_lux": Field("illuminance"),
    "noise": Field("noise"),
    "power": Field("power"),
    "energy": Field("energy"),
    "current": Field("current"),
    "state": Field("switched_on"),
    "sos": Field("sos"),
}
_MAINS = frozenset({"power", "energy", "current"})
"""A device that measures these is no battery's: its `voltage` is the mains', in volts."""

_CALLS = frozenset({"emergency", "sos", "panic"})
_AVAILABLE = {"online": 1.0, "offline": 0.0}


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observation of a message; FormatError where it holds none."""
    base, _, name = topic.original.partition("/")
    if not name:
        raise bad(
            f"topic {topic.original!r} names no device; {{base topic}}/{{friendly name}} does"
        )
    if name == "bridge/state":
        return [_available(base, payload)]
    if name.startswith("bridge/"):
        raise nothing("a message of the bridge about itself")
    device, _, last = name.rpartition("/")
    if device and last == "availability":
        return [_available(device, payload)]
    if device and last in ("set", "get"):
        raise nothing("a command to a device")
    parsed = json_value(payload)
    if not isinstance(parsed, dict):
        raise bad(f"payload is {short(parsed)}, not a JSON object")
    return _reported(name, parsed)


def _reported(device: str, given: Object) -> list[Observation]:
    table = FIELDS
    if not _MAINS.isdisjoint(given):
        table = FIELDS | {"voltage": Field("voltage")}
    read = values_of(given, table)
    action = text_of(given, "action")
    if not action:
        return read.observed(device, None)
    read.values["sos" if action.lower() in _CALLS else "button"] = 1.0
    return read.observed(device, None, {"action": action})


def _available(device: str, payload: bytes) -> Observation:
    """'online' or 'offline', or {"state": …} since version 2."""
    word = payload.strip().decode(errors="replace")
    if word.startswith("{"):
        parsed = json_value(payload)
        word = (text_of(parsed, "state") if isinstance(parsed, dict) else None) or word
    if word not in _AVAILABLE:
        raise bad(f"availability is {short(word)}, not 'online' or 'offline'")
    return Observation(device, None, {"heartbeat": _AVAILABLE[word]})
