"""What a Home Assistant entity gives of our metrics, and how its state is to be read. Pure.

The metric is told by the device class, with its unit where there are several; see `SENSORS` and
`BINARY_SENSORS`. Traps:
- `pressure` may be a pipe's and `voltage` the mains' or a battery's: only `atmospheric_pressure`,
  and millivolts, which are a battery's, are taken.
- A temperature or a power without its unit is refused: Home Assistant takes the house's own.
- `occupancy` means that somebody is there, `presence` that somebody is at home: both are presence.
- On is a word of the maker's own (`payload_on`); zigbee2mqtt's door is on when `contact` is false.
- With `availability_mode: all` one topic that says online does not say that the device is.
"""

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Any

import orjson

from devices.errors import FormatError
from devices.formats.fields import Field, Object, Parsed, bad, short, text_of, value_of
from devices.formats.homeassistant import Announced, topic_of
from devices.formats.template import State, parse
from devices.metric import BY_NAME
from devices.reading import Json
from devices.units import UnitError, to_metric

SENSORS: Mapping[str, str] = MappingProxyType(
    {
        "temperature": "temperature",
        "humidity": "humidity",
        "battery": "battery",
        "illuminance": "illuminance",
        "atmospheric_pressure": "air_pressure",
        "carbon_dioxide": "co2_concentration",
        "carbon_monoxide": "co_concentration",
        "pm25": "pm2_5",
        "pm10": "pm10",
        "signal_strength": "rssi",
        "sound_pressure": "noise",
        "power": "power",
        "energy": "energy",
        "current": "current",
        "water": "water_volume",
        "gas": "gas_volume",
        "voltage": "battery_voltage",
    }
)
"""Device class of a sensor to metric."""

BINARY_SENSORS: Mapping[str, str] = MappingProxyType(
    {
        "door": "door_open",
        "window": "door_open",
        "opening": "door_open",
        "garage_door": "door_open",
        "motion": "motion",
        "occupancy": "presence",
        "presence": "presence",
        "smoke": "smoke",
        "gas": "gas",
        "moisture": "water_leak",
        "carbon_monoxide": "carbon_monoxide",
        "battery": "battery_low",
        "tamper": "tamper",
        "vibration": "vibration",
        "problem": "fault",
    }
)
"""Device class of a binary sensor to metric; its on is our 1."""

EVENTS: Mapping[str, str] = MappingProxyType({"doorbell": "doorbell", "button": "button"})
"""Device class of an event to metric."""

_ONE_UNIT = frozenset({"battery", "humidity"})
"""In % with everybody."""

MAX_TEXT = 128
"""Characters of a name that are remembered."""

_SILENT = frozenset({"", "none", "unknown", "unavailable"})
"""States by which nothing is said."""


@dataclass(frozen=True, slots=True)
class Available:
    """A topic that says whether the device is there, and the words for it.

    enough, decisive: whether online, and whether offline, on this topic says it of the device.
    """

    topic: str
    template: str
    online: str
    offline: str
    enough: bool
    decisive: bool

    def heartbeat(self, state: State) -> float | None:
        """1 or 0; None where it does not tell. FormatError if it is neither of its two words."""
        said = _rendered(self.template, state)
        if said is None:
            return None
        if said == self.offline:
            return 0.0 if self.decisive else None
        if said != self.online:
            raise bad(
                f"availability is {short(said)}, neither {short(self.online)}"
                f" nor {short(self.offline)}"
            )
        return 1.0 if self.enough else None


@dataclass(frozen=True, slots=True)
class Entity:
    """One thing that a device tells of itself.

    metric: ours, '' where that cannot be told · unit: as announced · diagnostic: of the device
    itself, not of what it watches · on, off: the words of a binary sensor · refusal: why it cannot
    be read, '' where it can.
    """

    device: str
    component: str
    name: str
    device_name: str
    maker: str
    model: str
    metric: str
    unit: str
    topic: str
    template: str
    on: str
    off: str
    diagnostic: bool
    refusal: str
    available: tuple[Available, ...]

    @property
    def source(self) -> tuple[str, str]:
        """Where its value comes from."""
        return self.topic, self.template

    def read(self, state: State) -> tuple[float, Mapping[str, Json]] | None:
        """Its value in its metric's unit, and facts beside it; None where nothing is said."""
        if self.refusal:
            raise bad(self.refusal)
        try:
            if self.component == "event":
                return self._event(state)
            value = self._binary(state) if self.component == "binary_sensor" else None
            if self.component == "sensor":
                value = self._sensor(state)
        except FormatError as error:
            raise bad(f"{short(self.name)}: {error.detail}") from None
        return None if value is None else (value, {})

    def _sensor(self, state: State) -> float | None:
        said = _value(self.template, state)
        if said is None or (isinstance(said, str) and said.strip().lower() in _SILENT):
            return None
        if isinstance(said, bool):
            raise bad(f"state is {said}, not a number")
        return value_of("state", said, Field(self.metric, self.unit))

    def _binary(self, state: State) -> float | None:
        said = _rendered(self.template, state)
        if said is None or said.lower() in _SILENT:
            return None
        if said not in (self.on, self.off):
            raise bad(f"state is {short(said)}, neither {short(self.on)} nor {short(self.off)}")
        return 1.0 if said == self.on else 0.0

    def _event(self, state: State) -> tuple[float, Mapping[str, Json]] | None:
        said = state.parsed()
        kind = text_of(said, "event_type") if isinstance(said, dict) else None
        if not kind:
            raise bad(f"state is {short(said)}, without an 'event_type'")
        return 1.0, {"event_type": kind[:MAX_TEXT]}


@dataclass(frozen=True, slots=True)
class Announcement:
    """What one config topic announced: several entities, or one."""

    entities: tuple[Entity, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """By topic and by device."""
        topics = (e.topic for e in self.entities if e.topic)
        available = (a.topic for e in self.entities for a in e.available)
        return tuple(
            dict.fromkeys(
                [
                    *(by_topic(topic) for topic in (*topics, *available)),
                    *(by_device(entity.device) for entity in self.entities),
                ]
            )
        )

    def dump(self) -> bytes:
        """As it is kept."""
        return orjson.dumps([astuple(entity) for entity in self.entities])


def load(_subject: str, kept: bytes) -> Announcement:
    """What `dump` has made."""
    return Announcement(tuple(_loaded(*one) for one in orjson.loads(kept)))


def _loaded(*fields: Any) -> Entity:
    *own, available = fields
    return Entity(*(*own, tuple(Available(*one) for one in available)))


def by_topic(topic: str) -> str:
    """The name by which announcements that name this topic are found."""
    return f"topic {topic}"


def by_device(device: str) -> str:
    """The name by which announcements of this device are found."""
    return f"device {device}"


def entity(announced: Announced) -> Entity:
    """An entity as it is remembered; what cannot be read of it is its refusal."""
    config, component = announced.config, announced.component
    unit = text_of(config, "unit_of_measurement") or ""
    binary = component == "binary_sensor"
    metric = _metric(component, text_of(config, "device_class") or "", unit)
    template = (text_of(config, "value_template") or "") if metric else ""
    refusal = _refusal(announced, metric, unit, template) if metric else ""
    return Entity(
        announced.identity,
        component,
        (text_of(config, "name") or text_of(announced.device, "name") or "")[:MAX_TEXT],
        (text_of(announced.device, "name") or "")[:MAX_TEXT],
        (text_of(announced.device, "manufacturer") or "")[:MAX_TEXT],
        (text_of(announced.device, "model") or "")[:MAX_TEXT],
        metric,
        unit[:MAX_TEXT],
        topic_of(config, "state_topic") or "",
        "" if refusal else template,
        _word(config, "payload_on", "ON") if binary else "",
        _word(config, "payload_off", "OFF") if binary else "",
        text_of(config, "entity_category") == "diagnostic",
        refusal,
        _available(config),
    )


def _metric(component: str, device_class: str, unit: str) -> str:
    """Ours, '' where the device class does not tell."""
    if component == "sensor" and device_class == "voltage" and unit != "mV":
        return ""
    tables = {"sensor": SENSORS, "binary_sensor": BINARY_SENSORS, "event": EVENTS}
    return tables.get(component, {}).get(device_class, "")


def _refusal(announced: Announced, metric: str, unit: str, template: str) -> str:
    """Why its state cannot be read; '' if it can."""
    what = f"{metric} of {short(announced.identity)}"
    if parse(template) is None or (announced.component == "event" and template):
        return (
            f"{what}: value_template {short(template)} is none of {{{{ value }}}},"
            " {{ value_json.a['b'] }}, with float, int, round(n)"
        )
    if announced.component != "sensor":
        return ""
    if not unit and metric not in _ONE_UNIT:
        return f"{what} has no unit_of_measurement: it may be one of several"
    try:
        to_metric(0.0, unit, BY_NAME[metric])
    except UnitError as error:
        return f"{what}: {error}"
    return ""


def _available(config: Object) -> tuple[Available, ...]:
    """The topics that say whether the device is there; what cannot be understood is left out."""
    given = config.get("availability")
    listed: list[Object] = []
    if isinstance(given, list):
        listed = [_full(one) for one in given if isinstance(one, dict)]
    elif topic := text_of(config, "availability_topic"):
        template = config.get("availability_template")
        listed = [{"topic": topic, "value_template": template} | _words(config)]
    mode = text_of(config, "availability_mode") if len(listed) > 1 else None
    found = []
    for one in listed[:_MAX_AVAILABLE]:
        base: Object = {"topic": one.get("topic"), "~": config.get("~")}
        where, template = topic_of(base, "topic"), text_of(one, "value_template") or ""
        if where and parse(template) is not None:
            online = _word(one, "payload_available", "online")
            offline = _word(one, "payload_not_available", "offline")
            found.append(Available(where, template, online, offline, mode != "all", mode != "any"))
    return tuple(found)


_MAX_AVAILABLE = 4
_SHORT = {
    "t": "topic",
    "val_tpl": "value_template",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
}


def _full(given: Object) -> Object:
    return {_SHORT.get(name, name): value for name, value in given.items()}


def _words(config: Object) -> Object:
    names = ("payload_available", "payload_not_available")
    return {name: config[name] for name in names if name in config}


def _word(config: Object, name: str, default: str) -> str:
    """A payload as Home Assistant compares it: the text of whatever was given."""
    given = config.get(name)
    return str(given)[:MAX_TEXT] if isinstance(given, str | int | float) else default


def _value(template: str, state: State) -> Parsed:
    known = parse(template)
    if known is None:
        raise bad(f"value_template {short(template)} is not understood")
    return known.value(state)


def _rendered(template: str, state: State) -> str | None:
    """The value as the text that a template gives; None where there is none."""
    said = _value(template, state)
    if isinstance(said, list | dict):
        raise bad(f"state is {short(said)}, not a word")
    return None if said is None else str(said)
