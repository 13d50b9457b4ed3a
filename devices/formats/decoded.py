"""Field names that the decoders of LoRaWAN network servers commonly give. Pure.

A decoder is JavaScript of the device's maker or of the user: no schema binds it. This table knows
the names whose meaning is the same with every maker; case does not matter, and a space or a hyphen
is an underscore. The examples are those of https://github.com/TheThingsNetwork/lorawan-devices.

A number may be a text, with its unit behind it ('3.4V', '30°C'). A bare voltage from 1000 is in
millivolts. `battery` is a percentage, but some makers give volts by that name: above 0, not above 5
and with decimals nobody can tell, which is a problem. Where makers use 0 and 1 in opposite ways
(`door`, `contact`), or codes of their own (`occupancy` is 2 of an Elsys desk), only words are read;
of `occupancy` and `gas` booleans, too. A detection that counts (`motion`: 6) is 1; an alarm other
than 0 and 1 (`smoke`: 30) is a measurement, and a problem. Several probes are one alarm: it
leaks where any of them does. Of an occurrence that did not occur (`sos`: 0) nothing is kept. A
`timestamp` in parts (year, month, …) dates stored values, in no time zone: refused.

Left out, because the name alone does not tell: status, state, alarm (a panic button with one maker,
a door left open with another), count, counter, counter_value (of what?), OnOff, voltage (battery or
mains), batteryLevel and batteryCapacity (a raw byte, a range '80-100%'), pressure (of air or of a
pipe), luminosity (no unit), gas and CO with a number (no unit), manDown (stillness, not a fall),
motion_count (since when?), boards' and chips' temperatures.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from devices.errors import FormatError
from devices.formats.fields import Field, Parsed, Values, bad, nothing, short, value_of
from devices.metric import BY_NAME, MetricKind
from devices.reading import Json

_Read = Callable[[str, Parsed, Field], dict[str, float]]

_PARTED = re.compile(r"\s*([+-]?[0-9]{1,12}(?:\.[0-9]{1,12})?)\s*([^\s0-9.][^0-9]{0,15}?)\s*")
_NUMERIC = re.compile(r"\s*[+-]?[0-9.]+\s*")
_CHANNEL = re.compile(r"_[1-9]$")
_LOW = "(low battery)"
_VOLTS = frozenset({"v", "mv", "volt"})
_MILLIVOLTS_FROM = 1_000.0


@dataclass(slots=True)
class Decoded:
    """What a decoded object says: values with their problems, and facts of an occurrence.

    known: some name in it was known, even if it said nothing that is kept.
    """

    read: Values = field(default_factory=Values)
    facts: dict[str, Json] = field(default_factory=dict)
    known: bool = False


def read_decoded(given: Mapping[str, Parsed]) -> Decoded:
    """What the table knows of a decoded object; other names are left alone.

    FormatError where its values are not of the uplink's time.
    """
    if isinstance(given.get("timestamp"), dict):
        raise nothing("its values are of another time, told as a calendar without an offset")
    decoded = Decoded()
    for name, value in given.items():
        meaning = _meaning(name)
        if meaning is None or value is None:
            continue
        decoded.known = True
        try:
            _keep(decoded, name, value, meaning[0](name, value, meaning[1]))
        except FormatError as error:
            decoded.read.problems.append(error)
    return decoded


def unknown(names: Iterable[str]) -> str:
    """Why nothing was read of an object with these names."""
    some = ", ".join(short(name) for name in list(names)[:8])
    return f"none of its decoded fields is known: {some}"


def _meaning(name: str) -> "tuple[_Read, Field] | None":
    if len(name) > 40:
        return None
    plain = name.strip().lower().replace(" ", "_").replace("-", "_")
    if plain in TABLE:
        return TABLE[plain]
    channel = TABLE.get(_CHANNEL.sub("", plain))
    return channel if channel and channel[1].metric == "water_leak" else None


def _keep(decoded: Decoded, name: str, given: Parsed, found: Mapping[str, float]) -> None:
    values = decoded.read.values
    for metric, value in found.items():
        kind = BY_NAME[metric].kind
        if kind is MetricKind.EVENT:
            if value:
                values[metric] = 1.0
                if isinstance(given, str | int | float) and given is not True:
                    decoded.facts[name] = given
        elif kind is MetricKind.STATE:
            values[metric] = max(value, values.get(metric, value))
        elif values.setdefault(metric, value) != value:
            raise bad(f"{short(name)} is {value:g}, but {metric} is also {values[metric]:g} in it")


def _plain(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """A number, or a text of one, with its unit behind it or without."""
    return {meaning.metric: _number(name, given, meaning)}


def _number(name: str, given: Parsed, meaning: Field) -> float:
    if isinstance(given, bool):
        raise bad(f"{short(name)} is {given}, not a number")
    parted = _PARTED.fullmatch(given) if isinstance(given, str) else None
    if parted is None:
        return value_of(name, given, meaning)
    return value_of(name, float(parted[1]), Field(meaning.metric, parted[2]))


def _percent(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """Charge in %; between 0 and 5 with decimals it may be volts."""
    if isinstance(given, str) and (parted := _PARTED.fullmatch(given)):
        if parted[2].lower() in _VOLTS:
            return _voltage(name, given, Field("battery_voltage"))
        return _plain(name, given, meaning)
    number = _number(name, given, meaning)
    if 0.0 < number <= 5.0 and not number.is_integer():
        raise bad(f"{short(name)} is {number:g}: that may be % or volts")
    return {meaning.metric: number}


def _voltage(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """Volts, or millivolts from 1000 on; '2.3(low battery)' says both."""
    low: dict[str, float] = {}
    if isinstance(given, str) and given.endswith(_LOW):
        given, low = given.removesuffix(_LOW), {"battery_low": 1.0}
    number = _number(name, given, meaning)
    bare = not (isinstance(given, str) and _PARTED.fullmatch(given))
    if bare and number >= _MILLIVOLTS_FROM:
        number = value_of(name, number, Field(meaning.metric, "mV"))
    return {meaning.metric: number} | low


def _told(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """A word, or a boolean: makers use 0 and 1 in opposite ways."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        raise bad(f"{short(name)} is {short(given)}: makers do not agree on what that means")
    if isinstance(given, str) and _NUMERIC.fullmatch(given):
        raise bad(f"{short(name)} is {short(given)}: makers do not agree on what that means")
    return {meaning.metric: value_of(name, given, meaning)}


def _worded(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """A word only: of a door's `true` nobody can tell whether it is open."""
    if isinstance(given, bool):
        raise bad(f"{short(name)} is {given}: makers do not agree on what that means")
    return _told(name, given, meaning)


def _whether(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """A boolean, a word, 0 or 1: any other number is a measurement by the same name."""
    number = value_of(name, given, meaning)
    if number not in (0.0, 1.0):
        raise bad(f"{short(name)} is {number:g}, not 0 or 1")
    return {meaning.metric: number}


def _some(name: str, given: Parsed, meaning: Field) -> dict[str, float]:
    """A boolean, a word, how often it was detected, or which button it was; 0 is none."""
    number = value_of(name, given, meaning)
    if number < 0:
        raise bad(f"{short(name)} is {number:g}, below 0")
    return {meaning.metric: 1.0 if number else 0.0}


_DOOR = {"open": 1.0, "opened": 1.0, "close": 0.0, "closed": 0.0}
_BAY = {"occupied": 1.0, "busy": 1.0, "free": 0.0, "vacant": 0.0, "empty": 0.0}
_SOMEBODY = {"occupied": 1.0, "vacant": 0.0, "unoccupied": 0.0, "trigger": 1.0, "normal": 0.0}
_WATER = {"leak": 1.0, "noleak": 0.0, "no leak": 0.0, "no_leak": 0.0, "normal": 0.0, "flood": 1.0}
_OPENED = {"installed": 0.0, "uninstalled": 1.0}
_PRESS = dict.fromkeys(("short", "long", "double", "single", "pressed", "press"), 1.0)

_BY_READ: tuple[tuple[_Read, Field, str], ...] = (
    (_percent, Field("battery"), "battery battery_level battery_percent battery_percentage"),
    (_percent, Field("battery"), "batterypercent batterypercentage battery_pct"),
    (_voltage, Field("battery_voltage"), "battery_voltage batteryvoltage bat_v batv volt vbat"),
    (_voltage, Field("battery_voltage"), "batvolt batt_volt battery_volt"),
    (_plain, Field("battery_voltage", "mV"), "battery_mv batterymv"),
    (_whether, Field("battery_low"), "battery_low batterylow low_battery lowbattery"),
    (_plain, Field("temperature"), "temperature temp air_temperature airtemperature tempc_sht"),
    (_plain, Field("temperature"), "temp_c temperature_c ambient_temperature"),
    (_plain, Field("humidity"), "humidity relative_humidity relativehumidity air_humidity"),
    (_plain, Field("humidity"), "hum hum_sht rh"),
    (_plain, Field("air_pressure"), "barometric_pressure barometricpressure"),
    (_plain, Field("illuminance"), "illuminance illumination light lux light_intensity"),
    (_plain, Field("illuminance"), "lightintensity"),
    (_plain, Field("co2_concentration"), "co2 co2_ppm co2_concentration"),
    (_plain, Field("pm2_5"), "pm2_5 pm25 pm2.5"),
    (_plain, Field("pm10"), "pm10"),
    (_whether, Field("occupied"), "occupied"),
    (_whether, Field("occupied", words=_BAY), "parking_status parkingstatus parking_state"),
    (
        _whether,
        Field("door_open", words=_DOOR),
        "door_open dooropen door_open_status dooropenstatus",
    ),
    (_worded, Field("door_open", words=_DOOR), "door door_status doorstatus door_state doorstate"),
    (_worded, Field("door_open", words=_DOOR), "contact contact_state contactstate magnet_status"),
    (_plain, Field("door_open_count"), "door_open_times dooropentimes"),
    (_whether, Field("water_leak", words=_WATER), "leak water_leak waterleak flood leakage"),
    (_whether, Field("water_leak", words=_WATER), "water_leak_status leakage_status leak_status"),
    (_whether, Field("water_leak", words=_WATER), "leak_detected flood_detected water_detected"),
    (_whether, Field("smoke"), "smoke smoke_alarm smokealarm smoke_detected smoke_status"),
    (_whether, Field("gas"), "gas_alarm gasalarm"),
    (_told, Field("gas"), "gas gas_status"),
    (_some, Field("motion", words=_SOMEBODY), "motion motion_detected motiondetected motion_state"),
    (_some, Field("motion", words=_SOMEBODY), "pir pir_status"),
    (_some, Field("presence", words=_SOMEBODY), "presence"),
    (_told, Field("presence", words=_SOMEBODY), "occupancy"),
    (_whether, Field("tamper", words=_OPENED), "tamper tamper_status tamper_alarm tamperalarm"),
    (_whether, Field("tamper"), "boxtamper box_tamper tamper_detected"),
    (_whether, Field("vibration"), "vibration_detected"),
    (_whether, Field("sos", words=_PRESS), "sos sos_flag sosflag sos_alarm sosalarm panic"),
    (_whether, Field("sos", words=_PRESS), "emergency sos_event panic_button"),
    (_some, Field("button", words=_PRESS), "button button_pressed buttonpressed press pressed"),
    (_whether, Field("fall"), "fall fall_detected falldetected fall_alarm"),
    (_plain, Field("pulse"), "heart_rate heartrate"),
    (_plain, Field("spo2"), "spo2 blood_oxygen"),
    (_plain, Field("body_temperature"), "body_temperature bodytemperature"),
)

TABLE: Mapping[str, tuple[_Read, Field]] = MappingProxyType(
    {name: (read, meaning) for read, meaning, names in _BY_READ for name in names.split()}
)
"""Name in lower case, with underscores, to how it is read and what it means."""
