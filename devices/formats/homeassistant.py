"""Home Assistant MQTT discovery: which devices there are, not what they measure.

https://www.home-assistant.io/integrations/mqtt/#mqtt-discovery. A retained JSON object on
`{discovery prefix}/{component}/[{node id}/]{object id}/config` announces one entity, on
`{discovery prefix}/device/[{node id}/]{object id}/config` all entities of a device (`components`).
Keys may be abbreviated (`stat_t`, `dev_cla`); `~` in a topic stands for the value of the key `~`.

An announcement becomes an `attributes` event: {"event": "announced", "component", "device_class",
"unit", "name", "manufacturer", "model", "state_topic"}. The device is the first of
`device.identifiers`, else `unique_id`, else the object id of the topic. There is no time in it. An
empty payload removes the entity. Components that measure nothing (lights, climate, triggers) are
understood and told nothing of.

The values themselves come on the state topic, and only the announcement says how they are to be
read: `homeassistant_state` remembers it. `decode` has no memory, so a message on a state topic
tells nothing. `{prefix}/status` is Home Assistant's own birth and last will, not a device's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from devices.errors import FormatError
from devices.formats.fields import (
    Object,
    Parsed,
    bad,
    json_object,
    limited,
    nothing,
    object_of,
    short,
    text_of,
)
from devices.reading import Json, Observation
from devices.topic import UpTopic

STATEFUL = frozenset({"sensor", "binary_sensor", "event", "device_tracker"})
"""Components that tell something of a device, on the state topic which they must name."""

MEASURES_NOTHING = frozenset(
    {
        "alarm_control_panel",
        "button",
        "camera",
        "climate",
        "cover",
        "device_automation",
        "fan",
        "humidifier",
        "image",
        "lawn_mower",
        "light",
        "lock",
        "notify",
        "number",
        "scene",
        "select",
        "siren",
        "switch",
        "tag",
        "text",
        "update",
        "vacuum",
        "valve",
        "water_heater",
    }
)
MAX_TEXT = 256
"""Characters of a text that are kept."""

_LONG = {
    "stat_t": "state_topic",
    "json_attr_t": "json_attributes_topic",
    "dev_cla": "device_class",
    "unit_of_meas": "unit_of_measurement",
    "uniq_id": "unique_id",
    "dev": "device",
    "cmps": "components",
    "p": "platform",
    "ids": "identifiers",
    "mf": "manufacturer",
    "mdl": "model",
    "val_tpl": "value_template",
    "pl_on": "payload_on",
    "pl_off": "payload_off",
    "ent_cat": "entity_category",
    "avty": "availability",
    "avty_t": "availability_topic",
    "avty_mode": "availability_mode",
    "avty_tpl": "availability_template",
    "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available",
}
"""Abbreviation to key, for the keys that are read; `name` has none."""


_SHARED = (
    "state_topic",
    "~",
    "availability",
    "availability_topic",
    "availability_mode",
    "availability_template",
    "payload_available",
    "payload_not_available",
)
"""What a device's announcement may say once for all its components."""


@dataclass(frozen=True, slots=True)
class Announced:
    """One entity as announced: its component, its own settings and those of its device, in full."""

    component: str
    object_id: str
    config: Object
    device: Object

    @property
    def identity(self) -> str:
        """What the device is called."""
        return _identity(self.device) or text_of(self.config, "unique_id") or self.object_id


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """An announcement for each entity; FormatError for anything else."""
    entities, problems = announced(topic.original, payload)
    seen: list[Observation] = []
    for entity in entities:
        try:
            seen.append(_observed(entity))
        except FormatError as error:
            problems.append(error)
    if not seen:
        raise problems[0]
    seen[0] = replace(seen[0], problems=tuple(problems))
    return seen


def announced(topic: str, payload: bytes) -> tuple[list[Announced], list[FormatError]]:
    """The entities that a config topic announces, and what of it cannot be read.

    FormatError where it announces none: another topic, a removal, what measures nothing.
    """
    component, object_id = _place(topic)
    if not payload.strip():
        raise nothing(f"{component} {short(object_id)} is removed")
    if component in MEASURES_NOTHING:
        raise nothing(f"a {component} measures nothing")
    if component != "device" and component not in STATEFUL:
        raise bad(f"component {short(component)} is not known")
    config = _full(json_object(payload))
    if component == "device":
        return _components(object_id, config)
    return [_stated(Announced(component, object_id, config, object_of(config, "device")))], []


def _place(topic: str) -> tuple[str, str]:
    """Component and object id of a `…/config` topic."""
    levels = topic.split("/")
    if levels[-1] != "config":
        if len(levels) == 2 and levels[1] == "status":
            raise nothing("the birth or last will of Home Assistant itself")
        raise nothing("a state cannot be understood without its announcement")
    if len(levels) < 4 or not all(levels[-4:]):
        raise bad(f"topic {short(topic)} is not {{prefix}}/{{component}}/[…/]{{object id}}/config")
    known = STATEFUL | MEASURES_NOTHING | {"device"}
    has_node = len(levels) > 4 and (levels[-4] in known or levels[-3] not in known)
    return levels[-4 if has_node else -3], levels[-2]


def is_config(topic: str) -> bool:
    """True for a topic on which something may announce itself."""
    return topic.endswith("/config")


def _full(given: Object) -> Object:
    """The object with its keys in full, and those of its device and components."""
    full = {_LONG.get(name, name): value for name, value in given.items()}
    for name in ("device", "components"):
        inner = full.get(name)
        if isinstance(inner, dict):
            full[name] = {_LONG.get(n, n) if name == "device" else n: v for n, v in inner.items()}
    return full


def _components(object_id: str, config: Object) -> tuple[list[Announced], list[FormatError]]:
    """All entities of one device. A component that only names its platform is removed."""
    components = config.get("components")
    if not isinstance(components, dict):
        raise bad(f"'components' is {short(components)}, not an object")
    device = object_of(config, "device")
    found: list[Announced] = []
    problems: list[FormatError] = []
    for name, given in components.items():
        try:
            found += _entity(object_id, name, given, config, device)
        except FormatError as error:
            problems.append(error)
    if not found:
        raise problems[0] if problems else nothing("none of its components measures anything")
    return found, problems


def _entity(
    object_id: str, name: str, given: Parsed, config: Object, device: Object
) -> Iterator[Announced]:
    if not isinstance(given, dict):
        raise bad(f"component {short(name)} is {short(given)}, not an object")
    entity = _full(given)
    platform = text_of(entity, "platform")
    if platform in MEASURES_NOTHING or entity.keys() <= {"platform"}:
        return
    if platform is None or platform not in STATEFUL:
        raise bad(f"component {short(name)}: platform {short(platform or '')} is not known")
    shared: Object = {n: config[n] for n in _SHARED if n in config}
    yield _stated(Announced(platform, object_id, shared | entity, device))


def _stated(entity: Announced) -> Announced:
    """The entity, if it says where its state is told."""
    if not topic_of(entity.config, "state_topic") and not (
        entity.component == "device_tracker" and _places(entity.config)
    ):
        raise bad(f"{entity.component} {short(entity.object_id)} has no state topic")
    return entity


def _observed(entity: Announced) -> Observation:
    config, device = entity.config, entity.device
    facts: Mapping[str, str | None] = {
        "component": entity.component,
        "device_class": text_of(config, "device_class"),
        "unit": text_of(config, "unit_of_measurement"),
        "name": text_of(config, "name") or text_of(device, "name"),
        "manufacturer": text_of(device, "manufacturer"),
        "model": text_of(device, "model"),
        "state_topic": topic_of(config, "state_topic"),
    }
    told: dict[str, Json] = {n: v[:MAX_TEXT] for n, v in facts.items() if v}
    return Observation(entity.identity, None, {}, limited({"event": "announced"} | told))


def _places(config: Object) -> bool:
    """A tracker may tell where it is in its attributes alone."""
    return bool(text_of(config, "json_attributes_topic"))


def topic_of(config: Object, name: str) -> str | None:
    """A topic with its `~`, at the start or the end, replaced."""
    topic, base = text_of(config, name), text_of(config, "~")
    if topic is None or base is None:
        return topic
    if topic.startswith("~"):
        topic = base + topic[1:]
    return topic[:-1] + base if topic.endswith("~") else topic


def _identity(device: Object) -> str | None:
    """The first identifier: a text, or the first of a list."""
    given = device.get("identifiers")
    if isinstance(given, list):
        given = given[0] if given else None
    return given if isinstance(given, str) and given else None
