"""SenML: a pack of named values with units, in JSON or in CBOR.

https://www.rfc-editor.org/rfc/rfc8428. A payload is CBOR where its first byte can only start a CBOR
array or tag (0x80 to 0xDF); every other is read as JSON.

The device is what the resolved name (base name and name) says before the quantity. The quantity is
what follows its last ':' or '/', if QUANTITIES knows it ('urn:dev:ow:10e2:voltage'), or what
follows a '_' of a 'urn:dev:' name (RFC 9039: 'urn:dev:ow:10e2_humidity'). Where it does not, the
whole name is the device ('urn:dev:ow:10e2', '2001:db8::3') and the unit tells the metric, if it can
be only one (UNITS). Values of one device and one time are one observation.

Time: a resolved time of 2**28 s or more counts from the Unix epoch. A smaller one is relative to
the moment of receiving (section 4.5.3), which no format knows: up to 1 s of it means "now" and is
dated by the arrival; any other is refused.

Traps: base fields hold for the records that follow until they are replaced. A base value is added
to `v` only, and stands alone where a record has a name and no value. A label that ends in '_' must
be understood or the pack refused (section 4.4), as must a version above 10. A number without a unit
is taken in the metric's unit only where SenML registers that one. `contact` is true when the halves
touch: closed. A sum of a power in W is an energy in J; other sums are not kept. `vs` and `vd` that
are no state's word are attributes, `vd` in base64url, by the quantity's name; a text of an unknown
quantity belongs to the device before it if the pack has one of that name. `ut` is not needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from devices.errors import FormatError
from devices.formats.fields import Field, bad, limited, nothing, short, value_of
from devices.formats.senml_pack import Record, records_of
from devices.instant import Micros
from devices.metric import BY_NAME, MetricKind
from devices.reading import Json, Observation
from devices.topic import UpTopic

QUANTITIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "temperature": ("temperature",),
        "temp": ("temperature",),
        "humidity": ("humidity",),
        "hum": ("humidity",),
        "pulse": ("pulse",),
        "hr": ("pulse",),
        "heart_rate": ("pulse",),
        "heartrate": ("pulse",),
        "spo2": ("spo2",),
        "body_temperature": ("body_temperature",),
        "battery": ("battery", "battery_voltage"),
        "voltage": ("voltage",),
        "current": ("current",),
        "power": ("power",),
        "energy": ("energy",),
        "illuminance": ("illuminance",),
        "pressure": ("air_pressure",),
        "noise": ("noise",),
        "pm25": ("pm2_5",),
        "pm2_5": ("pm2_5",),
        "pm10": ("pm10",),
        "rssi": ("rssi",),
        "door": ("door_open",),
        "contact": ("door_open",),
        "occupancy": ("presence",),
        "presence": ("presence",),
        "occupied": ("occupied",),
        "motion": ("motion",),
        "vibration": ("vibration",),
        "tamper": ("tamper",),
        "smoke": ("smoke",),
        "gas": ("gas", "gas_concentration", "gas_volume"),
        "co": ("carbon_monoxide", "co_concentration"),
        "co2": ("co2_concentration",),
        "water": ("water_leak", "water_volume"),
        "leak": ("water_leak",),
        "water_leak": ("water_leak",),
        "sos": ("sos",),
        "fall": ("fall",),
        "button": ("button",),
    }
)
"""Last part of a name to the metrics it can be; the unit tells which."""

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "Cel": "temperature",
        "%RH": "humidity",
        "beat/min": "pulse",
        "%EL": "battery",
        "lx": "illuminance",
        "V": "voltage",
        "A": "current",
        "W": "power",
    }
)
"""Unit to the metric it means where the name tells none."""

_CONTACT = Field("door_open", inverted=True, words={"open": 0.0, "closed": 1.0})
_REGISTERED = frozenset({"1", "%", "/min", "Cel", "V", "A", "W", "lx", "m3", "dB"})
_NO_UNIT = frozenset({"", "count"})


@dataclass(slots=True)
class _Group:
    """What is said of one device at one time."""

    device: str
    time: Micros | None
    values: dict[str, float] = field(default_factory=dict)
    attributes: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class _Said:
    """What a pack says, in its order, and what of it cannot be read."""

    groups: list[_Group] = field(default_factory=list)
    latest: dict[tuple[str, Micros | None], _Group] = field(default_factory=dict)
    problems: list[FormatError] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def value(self, device: str, time: Micros | None, metric: str, value: float) -> None:
        """Keep a value; the same metric twice at one time is two observations.

        A momentary metric's 0 is no occurrence and nothing to keep.
        """
        if BY_NAME[metric].momentary and not value:
            return
        self._group(device, time, metric).values[metric] = value

    def text(self, device: str, time: Micros | None, name: str, text: str) -> None:
        """Keep a text as an attribute."""
        try:
            limited({name: text})
        except FormatError as error:
            self.problems.append(error)
            return
        self._group(device, time, name).attributes[name] = text

    def _group(self, device: str, time: Micros | None, name: str) -> _Group:
        group = self.latest.get((device, time))
        if group is None or name in group.values or name in group.attributes:
            group = self.latest[device, time] = _Group(device, time)
            self.groups.append(group)
        return group

    def observations(self) -> list[Observation]:
        """One per group, the problems beside the first; FormatError where there is none."""
        kept: list[Observation] = []
        for group in self.groups:
            try:
                attributes = limited(group.attributes)
            except FormatError as error:
                self.problems.append(error)
                attributes = {}
            if group.values or attributes:
                kept.append(Observation(group.device, group.time, group.values, attributes))
        if not kept:
            raise self.problems[0] if self.problems else self._nothing()
        return [replace(kept[0], problems=tuple(self.problems)), *kept[1:]]

    def _nothing(self) -> FormatError:
        if not self.unknown:
            return nothing("no record holds a value that is kept")
        return nothing(f"no record is of a known quantity: {short(self.unknown[0])}")


def decode(_topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observations of a pack; FormatError where it holds none. The topic tells nothing."""
    said = _Said()
    records, said.problems = records_of(payload)
    devices = {split[0] for r in records if (split := _split(r.name))}
    for record in records:
        try:
            _say(record, devices, said)
        except FormatError as error:
            said.problems.append(error)
    return said.observations()


def _say(record: Record, devices: set[str], said: _Said) -> None:
    split = _split(record.name)
    if isinstance(record.value, str):
        _say_text(record, split, devices, said)
    elif record.value is not None:
        _say_value(record, split, record.value, said)
    if record.sum is not None:
        _say_sum(record, split, record.sum, said)


def _say_value(
    record: Record, split: tuple[str, str] | None, value: float | bool, said: _Said
) -> None:
    if split is not None:
        device, quantity = split
        metric, number = _measured(record, quantity, value)
        said.value(device, record.time, metric, number)
    elif record.unit in UNITS and not isinstance(value, bool):
        said.value(record.name, record.time, UNITS[record.unit], value)
    else:
        said.unknown.append(f"{record.name} in {record.unit!r}")


def _say_text(
    record: Record, split: tuple[str, str] | None, devices: set[str], said: _Said
) -> None:
    text = str(record.value)
    if split is None:
        device, name = _parted(record.name)
        if device not in devices:
            device, name = record.name, "data" if record.data else "text"
        said.text(device, record.time, name, text)
        return
    device, quantity = split
    try:
        metric, number = _measured(record, quantity, text)
    except FormatError:
        said.text(device, record.time, quantity, text)
    else:
        said.value(device, record.time, metric, number)


def _say_sum(record: Record, split: tuple[str, str] | None, total: float, said: _Said) -> None:
    quantity = split[1] if split else UNITS.get(record.unit, "")
    if record.unit == "W" and quantity == "power":
        value = value_of("s", total, Field("energy", "J"))
        said.value(split[0] if split else record.name, record.time, "energy", value)
    elif record.value is None:
        raise nothing(f"{record.place}: a sum of {short(record.name)} is not kept")


def _measured(record: Record, quantity: str, value: float | str | bool) -> tuple[str, float]:
    """The metric and the value in its unit; FormatError of the first metric if none fits."""
    problem: FormatError | None = None
    for metric in QUANTITIES[quantity]:
        try:
            return metric, _in_unit(record, quantity, metric, value)
        except FormatError as error:
            problem = problem or error
    raise problem or bad(f"{record.place}: {quantity!r} cannot be read")


def _in_unit(record: Record, quantity: str, metric: str, value: float | str | bool) -> float:
    known = BY_NAME[metric]
    place = f"{record.place}: {quantity!r}"
    words = known.kind in (MetricKind.STATE, MetricKind.EVENT)
    if isinstance(value, bool | str) and (record.data or not words):
        raise bad(f"{place} is {short(value)}, not a number")
    unit = "" if record.unit in _NO_UNIT else record.unit
    if not (unit or known.unit in _REGISTERED or known.unit.startswith("{")):
        raise bad(f"{place} has no unit")
    meaning = _CONTACT if quantity == "contact" else Field(metric)
    try:
        number = value_of(quantity, value, replace(meaning, unit=unit))
        plain = value_of(quantity, value, replace(meaning, unit=unit, inverted=False))
    except FormatError as error:
        raise bad(f"{record.place}: {error.detail}") from None
    if words and plain not in (0.0, 1.0):
        raise bad(f"{place} is {short(value)}, which is no value of it")
    return number


def _split(name: str) -> tuple[str, str] | None:
    """Device and quantity of a resolved name; None where no known quantity ends it."""
    device, last = _parted(name)
    if last.lower() in QUANTITIES:
        return device, last.lower()
    if not name.startswith("urn:dev:"):
        return None
    at = last.find("_")
    while at != -1:
        if last[at + 1 :].lower() in QUANTITIES:
            return name[: len(name) - len(last) + at], last[at + 1 :].lower()
        at = last.find("_", at + 1)
    return None


def _parted(name: str) -> tuple[str, str]:
    at = max(name.rfind(":"), name.rfind("/"))
    return (name[:at], name[at + 1 :]) if at >= 0 else ("", name)
