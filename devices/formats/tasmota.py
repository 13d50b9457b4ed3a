"""Tasmota: plain texts and JSON objects below `tele/…`, `stat/…` and `cmnd/…`.

https://tasmota.github.io/docs/MQTT/, and /Zigbee/, /Buttons-and-Switches/ there. A topic is
`{tele|stat|cmnd}/{device}/{kind}` or `{device}/{tele|stat|cmnd}/{kind}`, as FullTopic says; the
device is what is left of the prefix and the kind. A topic of one level names no device: ''.

Parts of a device that are sensors of their own are devices `{device}/{part}`:
- a relay, switch or button with a number (`POWER1`, `Switch2`); `POWER` is the device's own;
- a sensor whose name ends in a dash and its index, address or pin (`DS18B20-1`, `SHT3X-0x44`);
- all sensors of a message that tell a quantity which another one in it tells too.
A Zigbee device or beacon behind a gateway is a device of its own: by its name, else its short
address (which changes when it is paired anew); a beacon by its MAC. SetOption118 leaves out the
`ZbReceived` around it; `LinkQuality` tells it then.

`Time` is local, without offset unless one is set: then it is no instant and the arrival counts.

Traps. `TempUnit` and `PressureUnit` hold for the whole message. `Wifi.RSSI` is a percentage,
`Wifi.Signal` is in dBm. A soil sensor (`Fertility`) tells the soil's humidity, not the air's.
`ESP32.Temperature` is the chip's. BME680's `Gas` is a resistance, MQ values and `A0` are raw,
`eCO2` is derived, SonoffSC's `Light` and `Noise` are relative: none is kept. `ZbInfo` is what the
gateway remembers, of no known time. A Zigbee `Illuminance` is raw for some makers and lux for
others. Zigbee `Contact` 1 is open. A switch input does not say what is wired to it; only one that
its owner named `PIR` or `Motion` is motion. A card read is neither granted nor denied here. A radio
or infrared code does not say whose it is.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from devices.errors import FormatError
from devices.formats.fields import (
    Field,
    Object,
    Parsed,
    Values,
    bad,
    instant_of,
    json_object,
    limited,
    nothing,
    short,
    text_of,
    values_of,
)
from devices.instant import Micros
from devices.reading import Json, Observation
from devices.topic import UpTopic

PREFIXES = ("tele", "stat", "cmnd")
SENSOR = {
    "Humidity": Field("humidity"),
    "Illuminance": Field("illuminance"),
    "CarbonDioxide": Field("co2_concentration"),
    "PM2.5": Field("pm2_5"),
    "PM10": Field("pm10"),
    "Battery": Field("battery"),
    "RSSI": Field("rssi"),
}
"""Beside `Temperature` and `Pressure`, whose units the message tells."""

ENERGY = {
    "Power": Field("power"),
    "Voltage": Field("voltage"),
    "Current": Field("current"),
    "Total": Field("energy"),
}
ZIGBEE = {
    "Humidity": Field("humidity"),
    "Power": Field("switched_on"),
    "ActivePower": Field("power"),
    "RMSVoltage": Field("voltage"),
    "Occupancy": Field("motion"),
    "PIR": Field("motion"),
    "Contact": Field("door_open"),
    "Fire": Field("smoke"),
    "Water": Field("water_leak"),
    "CO": Field("carbon_monoxide"),
    "Movement": Field("vibration"),
    "Battery": Field("battery"),
    "BatteryPercentage": Field("battery"),
    "BatteryVoltage": Field("battery_voltage"),
}
_BATTERY = ZIGBEE | {"Voltage": Field("battery_voltage")}
"""Where it tells its battery, too: `Voltage` alone may be that of the mains."""

_CALLS = ("PersonalAlarm", "Panic")
_SOIL = "Fertility"
_CARD_READERS = ("PN532", "RC522", "RDM6300")
_NOT_SURROUNDINGS = ("ESP32", "SonoffSC", "Wifi")
_CODES = {"RfReceived": "radio", "RfRaw": "radio", "IrReceived": "infrared"}
_ABOUT_ITSELF = {
    "ZbInfo": "what the gateway remembers of a Zigbee device, not a report",
    "ZbState": "a message of the Zigbee gateway about itself",
    "LwReceived": "a LoRaWAN payload that the gateway did not decode",
    "TuyaReceived": "a message of the Tuya controller that is not decoded",
}
_ONLINE = {"online": 1.0, "offline": 0.0}
_PRESSED = frozenset({"SINGLE", "DOUBLE", "TRIPLE", "QUAD", "PENTA", "HOLD", "TOGGLE"})
_RELEASED = frozenset({"CLEAR"})
_PEOPLE = {0.0: 0.0, 1.0: 0.0, 2.0: 1.0, 3.0: 1.0}
"""LD2410S: 0 and 1 are nobody, 2 and 3 somebody (docs/HLK-LD2410S)."""

_RELAY = re.compile(r"POWER[0-9]{0,2}", re.ASCII)
_SWITCH = re.compile(r"Switch[0-9]{1,2}", re.ASCII)
_MOTION = re.compile(r"(PIR|Motion)[0-9]{0,2}", re.ASCII | re.IGNORECASE)
_OWN_NAME = re.compile(r".+-[0-9A-Za-z]+", re.ASCII)
_SHORT_ADDRESS = re.compile(r"0x[0-9A-Fa-f]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Message:
    """Whose message it is, when, and the units that hold for all of it."""

    device: str
    time: Micros | None
    temperature: Field
    pressure_unit: Parsed

    def part(self, name: str) -> str:
        return f"{self.device}/{name}" if self.device else name


@dataclass(frozen=True, slots=True)
class _Told:
    """What one part says. own: it is a device of this identity; '' where it may be the whole's."""

    name: str
    own: str
    read: Values
    attributes: Mapping[str, Json]


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observations of a message, one a device in it; FormatError where it holds none."""
    device, kind = _place(topic.original)
    if kind == "LWT":
        return [_connected(device, payload)]
    if _RELAY.fullmatch(kind):
        return _relay(device, kind, payload)
    return _reported(device, json_object(payload))


def _place(topic: str) -> tuple[str, str]:
    """Device and kind. The prefix stands first, last but one, or else anywhere before the kind."""
    *levels, kind = topic.split("/")
    if not levels:
        return "", kind
    if levels[:2] == ["tasmota", "discovery"]:
        raise nothing("Tasmota's announcement of a device to Home Assistant")
    for at in dict.fromkeys((0, len(levels) - 1, *range(len(levels)))):
        if levels[at] in PREFIXES:
            if levels[at] == "cmnd":
                raise nothing("a command to a device")
            return "/".join(levels[:at] + levels[at + 1 :]), kind
    raise bad(f"topic {short(topic)} has no level tele, stat or cmnd")


def _connected(device: str, payload: bytes) -> Observation:
    word = _plain(payload)
    if word.lower() not in _ONLINE:
        raise bad(f"LWT is {short(word)}, not 'Online' or 'Offline'")
    return Observation(device, None, {"heartbeat": _ONLINE[word.lower()]})


def _relay(device: str, kind: str, payload: bytes) -> list[Observation]:
    """`stat/{device}/POWER`: the bare word, or an object with SetOption4."""
    word = _plain(payload)
    return _reported(device, json_object(payload) if word.startswith("{") else {kind: word})


def _plain(payload: bytes) -> str:
    return payload.decode(errors="replace").strip()


def _reported(device: str, given: Object) -> list[Observation]:
    body = _body(given)
    message = _Message(
        device,
        instant_of(body.get("Time")),
        Field("temperature", _unit(body.get("TempUnit"), "C")),
        body.get("PressureUnit"),
    )
    told = [one for name, value in body.items() for one in _told(message, name, value)]
    seen = _observed(message, told)
    if seen:
        return seen
    problems = [error for one in told for error in one.read.problems]
    raise problems[0] if problems else _why_nothing(body)


def _body(given: Object) -> Object:
    """STATUS10 and STATUS11 wrap what SENSOR and STATE say."""
    for name in ("StatusSNS", "StatusSTS"):
        inner = given.get(name)
        if isinstance(inner, dict):
            return inner
    return given


def _why_nothing(body: Object) -> FormatError:
    for name, why in _ABOUT_ITSELF.items():
        if name in body:
            return nothing(why)
    for name, kind in _CODES.items():
        if name in body:
            return nothing(f"{name}: a code by {kind} does not tell whose it is")
    names = ", ".join(name for name in body if name != "Time")
    return nothing(f"nothing in it is a known metric: {short(names)}")


def _told(message: _Message, name: str, value: Parsed) -> Iterator[_Told]:
    """What one field of the message says; nothing where it is not known."""
    if isinstance(value, dict):
        yield from _of_object(message, name, value)
    elif _RELAY.fullmatch(name):
        yield _state(message, name, value, "switched_on", own=name != "POWER")
    elif _SWITCH.fullmatch(name):
        yield _state(message, name, value, "switched_on", own=True)
    elif _MOTION.fullmatch(name):
        yield _state(message, name, value, "motion", own=name[-1].isdigit())


def _state(message: _Message, name: str, value: Parsed, metric: str, *, own: bool) -> _Told:
    read = Values()
    read.add(name, value, Field(metric))
    return _Told(name, message.part(name) if own else "", read, {})


def _of_object(message: _Message, name: str, given: Object) -> Iterator[_Told]:
    if name == "ZbReceived":
        for key, one in given.items():
            yield _zigbee(message, key, one)
    elif "LinkQuality" in given:
        yield _zigbee(message, name, given)
    elif name == "Wifi":
        yield _Told(name, "", values_of(given, {"Signal": Field("rssi", "dBm")}), {})
    elif name == "ENERGY":
        yield from _energy(message, given)
    elif name == "IBEACON":
        yield _beacon(message, given)
    elif name in _CARD_READERS:
        yield from _card(name, given)
    elif "Action" in given:
        yield from _action(message, name, given)
    elif name not in _NOT_SURROUNDINGS and name not in _ABOUT_ITSELF and name not in _CODES:
        own = message.part(name) if _OWN_NAME.fullmatch(name) else ""
        yield _Told(name, own, _sensor(message, name, given), {})


def _sensor(message: _Message, name: str, given: Object) -> Values:
    read = values_of(given, SENSOR)
    if _SOIL in given:
        read.values.pop("humidity", None)
    read.add("Temperature", given.get("Temperature"), message.temperature)
    _pressure(read, given.get("Pressure"), message.pressure_unit)
    if name == "LD2410S":
        _people(read, given.get("People"))
    return read


def _people(read: Values, given: Parsed) -> None:
    if given is None:
        return
    code = float(given) if isinstance(given, int) and abs(given) < 10 else None
    if code is None or code not in _PEOPLE:
        read.problems.append(bad(f"'People' is {short(given)}, not 0, 1, 2 or 3"))
    else:
        read.values["presence"] = _PEOPLE[code]


def _pressure(read: Values, given: Parsed, unit: Parsed) -> None:
    read.add("Pressure", given, Field("air_pressure", _unit(unit, "hPa")))


def _unit(given: Parsed, usual: str) -> str:
    """The unit as it stands in the message; one that is no text is told as what it is."""
    if given is None:
        return usual
    return given if isinstance(given, str) and given else short(given)


def _energy(message: _Message, given: Object) -> Iterator[_Told]:
    """Meters of several phases send lists: each phase is a device of its own."""
    lists = {n: v for n, v in given.items() if n in ENERGY and isinstance(v, list)}
    single = {n: v for n, v in given.items() if n not in lists}
    yield _Told("ENERGY", "", values_of(single, ENERGY), {})
    for at in range(max((len(v) for v in lists.values()), default=0)):
        phase = {n: v[at] for n, v in lists.items() if at < len(v)}
        name = f"ENERGY-{at + 1}"
        yield _Told(name, message.part(name), values_of(phase, ENERGY), {})


def _beacon(message: _Message, given: Object) -> _Told:
    """A beacon is heard, or no longer heard: then its RSSI is an old one."""
    read = Values()
    read.add("STATE", given.get("STATE"), Field("heartbeat"))
    if read.values.get("heartbeat") == 1.0:
        read.add("RSSI", given.get("RSSI"), Field("rssi"))
    return _Told("IBEACON", text_of(given, "MAC") or message.part("IBEACON"), read, {})


def _card(name: str, given: Object) -> Iterator[_Told]:
    uid = text_of(given, "UID")
    if uid:
        facts: dict[str, Json] = {"event": "card_read", "credential": uid, "reader": name}
        yield _Told(name, "", Values(), facts)


def _action(message: _Message, name: str, given: Object) -> Iterator[_Told]:
    """A button's press, or a switch input that was turned or pressed."""
    read, action = Values(), given.get("Action")
    attributes: Mapping[str, Json] = {}
    if _SWITCH.fullmatch(name) and action in ("ON", "OFF"):
        yield _state(message, name, action, "switched_on", own=True)
        return
    if isinstance(action, str) and action in _PRESSED:
        read.values["button"] = 1.0
        attributes = {"button": name, "action": action}
    elif not isinstance(action, str) or action not in _RELEASED:
        read.problems.append(bad(f"{short(name)}: action {short(action)} is not known"))
    yield _Told(name, message.part(name) if read.values else "", read, attributes)


def _zigbee(message: _Message, key: str, given: Parsed) -> _Told:
    if not isinstance(given, dict):
        read = Values(problems=[bad(f"'ZbReceived'.{short(key)} is {short(given)}, no object")])
        return _Told(key, key, read, {})
    read = values_of(given, _BATTERY if "Battery" in given else ZIGBEE)
    unit = _unit(given.get("TempUnit"), message.temperature.unit)
    read.add("Temperature", given.get("Temperature"), Field("temperature", unit))
    _pressure(read, given.get("Pressure"), given.get("PressureUnit", message.pressure_unit))
    attributes: dict[str, Json] = {}
    for name in _CALLS:
        if given.get(name) in (1, "1"):
            read.values["sos"] = 1.0
            attributes = {"alarm": name}
    return _Told(key, _zigbee_name(key, given), read, attributes)


def _zigbee_name(key: str, given: Object) -> str:
    """Its name, as a field or as the key (SetOption83), before its short address."""
    name = text_of(given, "Name")
    if name:
        return name
    return key if not _SHORT_ADDRESS.fullmatch(key) else text_of(given, "Device") or key


def _observed(message: _Message, told: list[_Told]) -> list[Observation]:
    """One observation a device; what could not be read stays with the part that said it."""
    shared = Counter(m for one in told if not one.own for m in one.read.values)
    by_device: dict[str, Values] = {}
    facts: dict[str, Mapping[str, Json]] = {}
    for one in told:
        clash = any(shared[m] > 1 for m in one.read.values)
        device = one.own or (message.part(one.name) if clash else message.device)
        read = by_device.setdefault(device, Values())
        read.values |= one.read.values
        read.problems += one.read.problems
        facts[device] = {**facts.get(device, {}), **one.attributes}
    return list(_kept(message.time, by_device, facts))


def _kept(
    time: Micros | None, by_device: dict[str, Values], facts: dict[str, Mapping[str, Json]]
) -> Iterator[Observation]:
    for device, read in by_device.items():
        try:
            attributes = limited(facts[device])
        except FormatError as error:
            read.problems.append(error)
            attributes = {}
        if read.values or attributes or read.problems:
            yield Observation(device, time, read.values, attributes, tuple(read.problems))
