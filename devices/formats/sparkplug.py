"""Sparkplug B: edge nodes and the devices behind them, as protobuf over MQTT.

https://sparkplug.eclipse.org/specification, version 3.0: `spBv1.0/{group}/{type}/{edge node}` and,
for a device behind the node, one level more. The device is `{group}/{edge node}` or
`{group}/{edge node}/{device}`. Times are in ms since the Unix epoch, UTC; one before 2001-09-09 is
that of a clock which was never set, and no instant.

A BIRTH says what there is: its device is alive, and these are its values. DATA says what changed. A
DEATH says that the device is silent; that of a node is its will, written when it connected, so its
own time is not used. Commands and the STATE of a host tell nothing of a device.

A metric is known by the last level of its name, without regard to case, blanks, '_', '-' and '.'.
Its unit is its property `engUnit`; without one it is that of ours, but power, energy, current and
volumes are refused, since they come in several. Traps:
- In DATA a metric may have an alias in place of its name, and no datatype: both stand only in the
  BIRTH. `decode` has no memory and reads what is named; `sparkplug_session` remembers.
- Two names of one device that mean the same metric (`In/temperature`, `Out/temperature`) are both
  refused: nothing tells which of them is the device's.
- A `Quality` other than 192 says that the value is not good: refused.
- In a BIRTH a momentary metric is what it was last, not an occurrence; only sos and fall count
  there, lest a call for help be lost. One that is false says that nothing occurred.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from devices.errors import FormatError
from devices.formats.fields import Field, bad, nothing, short, value_of
from devices.formats.sparkplug_message import GOOD, Metric, Payload, number_of, read
from devices.instant import Micros
from devices.metric import BY_NAME, MetricKind
from devices.reading import Observation
from devices.topic import UpTopic

NAMESPACE = "spBv1.0"
_LEVELS = {"NBIRTH": 4, "NDATA": 4, "NDEATH": 4, "DBIRTH": 5, "DDATA": 5, "DDEATH": 5}
"""Type of message to the levels of its topic."""

_NO_METRICS = frozenset({"attributes", "heartbeat", "test"})
"""Ours that a vendor's metric of the same name would not mean."""

_NAMES = {name.replace("_", ""): name for name in BY_NAME if name not in _NO_METRICS} | {
    "temp": "temperature",
    "relativehumidity": "humidity",
    "batterylevel": "battery",
    "door": "door_open",
    "co": "co_concentration",
    "co2": "co2_concentration",
    "lux": "illuminance",
    "leak": "water_leak",
    "waterleakage": "water_leak",
    "barometricpressure": "air_pressure",
    "noiselevel": "noise",
    "heartrate": "pulse",
}
_DROPPED = str.maketrans("", "", " _-.")
_IN_SEVERAL_UNITS = frozenset({"power", "energy", "current", "water_volume", "gas_volume"})
CALLS = frozenset({"sos", "fall"})
"""Ours that are never passed over: somebody calls for help."""
_EARLIEST, _LATEST = 10**12, 10**14
"""Milliseconds since the Unix epoch between which a time is an instant: 2001 to the year 5138."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a BIRTH says of a metric."""

    name: str
    datatype: int | None
    unit: str


_MEANS_NOTHING = Known("", None, "")


@dataclass(frozen=True, slots=True)
class Births:
    """What a device announced, by name and by alias: of metrics that mean one of ours.

    others: aliases of metrics that mean none.
    """

    names: Mapping[str, Known] = field(default_factory=dict)
    aliases: Mapping[int, Known] = field(default_factory=dict)
    others: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Place:
    """What a topic says: the type of message, the edge node, and the device or the node itself."""

    kind: str
    node: str
    device: str

    @property
    def birth(self) -> bool:
        return self.kind.endswith("BIRTH")

    @property
    def death(self) -> bool:
        return self.kind.endswith("DEATH")


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """What a message says by itself; FormatError where it says nothing."""
    place = place_of(topic.original)
    message = read(payload)
    if place.kind == "NDEATH":
        session_number(message)
        return [Observation(place.node, None, {"heartbeat": 0.0})]
    if place.death:
        return [dead(place, message)]
    return observed(place, message, Births())


def place_of(topic: str) -> Place:
    """What a topic says; FormatError where it says nothing of a node or a device."""
    levels = topic.split("/")
    if levels[0] == "STATE" or levels[:2] == [NAMESPACE, "STATE"]:
        raise nothing("the state of a host application")
    kind = levels[2] if len(levels) > 2 else ""
    if levels[0] == NAMESPACE and kind in ("NCMD", "DCMD"):
        raise nothing("a command to an edge node or a device")
    if levels[0] != NAMESPACE or len(levels) != _LEVELS.get(kind) or not all(levels):
        raise bad(
            f"topic {short(topic)} has not the form"
            f" {NAMESPACE}/{{group}}/{{type}}/{{edge node}}[/{{device}}]"
        )
    node = f"{levels[1]}/{levels[3]}"
    return Place(kind, node, "/".join([node, *levels[4:]]))


def announced(message: Payload) -> tuple[Births, tuple[FormatError, ...]]:
    """What a BIRTH announces, and what is wrong with it: an alias given twice is no metric's."""
    names: dict[str, Known] = {}
    aliases: dict[int, Known] = {}
    twice: set[int] = set()
    for metric in message.metrics:
        if not metric.name:
            continue
        known = names[metric.name] = Known(metric.name, metric.datatype, metric.unit)
        if metric.alias is None:
            continue
        if aliases.setdefault(metric.alias, known).name != metric.name:
            twice.add(metric.alias)
    single = {alias: names[k.name] for alias, k in aliases.items() if alias not in twice}
    births = Births(
        {name: known for name, known in names.items() if meant(name)},
        {alias: known for alias, known in single.items() if meant(known.name)},
        frozenset(alias for alias, known in single.items() if not meant(known.name)),
    )
    return births, tuple(bad(f"alias {alias} is announced twice") for alias in sorted(twice))


def observed(place: Place, message: Payload, births: Births) -> list[Observation]:
    """What a message says, its births known; FormatError where that is nothing."""
    problems: list[FormatError] = []
    found: list[tuple[Metric, Known]] = []
    for metric in message.metrics:
        try:
            found.append((metric, _resolved(metric, births)))
        except FormatError as error:
            problems.append(error)
    twofold = _twofold({*births.names, *(known.name for _, known in found)})
    said: dict[Micros | None, dict[str, float]] = defaultdict(dict)
    if place.birth:
        said[_instant(message.time)]["heartbeat"] = 1.0
    for metric, known in found:
        name = meant(known.name)
        if name is None or metric.null:
            continue
        try:
            value = _value(metric, known, name, twofold)
            time = _time(metric, message)
        except FormatError as error:
            problems.append(error)
            continue
        if _occurred(name, value, birth=place.birth):
            said[time][name] = value
    if not said:
        raise (
            problems[0] if problems else nothing("nothing in it is a known metric that has a value")
        )
    return with_problems(
        problems, [Observation(place.device, t, values) for t, values in said.items()]
    )


def _resolved(metric: Metric, births: Births) -> Known:
    if metric.name:
        known = births.names.get(metric.name, Known(metric.name, None, ""))
        return replace(
            known, datatype=metric.datatype or known.datatype, unit=metric.unit or known.unit
        )
    if metric.alias is None:
        raise bad("a metric has neither a name nor an alias")
    if metric.alias in births.others:
        return _MEANS_NOTHING
    if metric.alias not in births.aliases:
        raise bad(f"alias {metric.alias} was not announced")
    known = births.aliases[metric.alias]
    return replace(known, datatype=metric.datatype or known.datatype)


def _value(metric: Metric, known: Known, name: str, twofold: frozenset[str]) -> float:
    """The value in our metric's unit; FormatError where it is not certain."""
    if name in twofold:
        raise bad(f"{short(known.name)} is not the only {name} of its device")
    if metric.quality not in (None, GOOD):
        raise bad(f"{short(known.name)} has the quality {metric.quality}, not {GOOD} (good)")
    if name in _IN_SEVERAL_UNITS and not known.unit:
        raise bad(f"{short(known.name)} has no 'engUnit', and {name} comes in several")
    try:
        number = number_of(metric.carrier, metric.value, known.datatype)
    except FormatError as error:
        raise bad(f"{short(known.name)}: {error.detail}") from None
    measured = BY_NAME[name].kind in (MetricKind.GAUGE, MetricKind.COUNTER)
    if measured and isinstance(number, bool):
        raise bad(f"{short(known.name)} is {number}, not a number")
    return value_of(known.name, number, Field(name, known.unit))


def _occurred(name: str, value: float, *, birth: bool) -> bool:
    """True for what is stored: every state and measurement, and what has just occurred."""
    if not BY_NAME[name].momentary:
        return True
    return value != 0.0 and (not birth or name in CALLS)


def meant(name: str) -> str | None:
    """Our metric for a vendor's name; None where it means none."""
    if name.startswith(("Node Control/", "Device Control/")):
        return None
    return _NAMES.get(name.rpartition("/")[2].lower().translate(_DROPPED))


def _twofold(names: Iterable[str]) -> frozenset[str]:
    """Our metrics that several of these names mean."""
    found = Counter(meant(name) for name in names)
    return frozenset(name for name, count in found.items() if name is not None and count > 1)


def _time(metric: Metric, message: Payload) -> Micros | None:
    time = _instant(message.time if metric.time is None else metric.time)
    if metric.historical and (metric.time is None or time is None):
        raise bad(f"{short(metric.name or metric.alias)} is of the past and has no time")
    return time


def _instant(milliseconds: int | None) -> Micros | None:
    if milliseconds is None or not _EARLIEST <= milliseconds <= _LATEST:
        return None
    return milliseconds * 1_000


def dead(place: Place, message: Payload) -> Observation:
    """A DDEATH."""
    return Observation(place.device, _instant(message.time), {"heartbeat": 0.0})


def session_number(message: Payload) -> int:
    """The bdSeq of an NDEATH; FormatError where it has none."""
    number = find_session_number(message)
    if number is None:
        raise bad("NDEATH has no 'bdSeq', so it does not tell which session has ended")
    return number


def find_session_number(message: Payload) -> int | None:
    """The bdSeq, if there is one."""
    for metric in message.metrics:
        if metric.name == "bdSeq" and isinstance(metric.value, int):
            return metric.value
    return None


def with_problems(problems: Iterable[FormatError], seen: list[Observation]) -> list[Observation]:
    """The observations, the first of them with these problems too."""
    first, *others = seen
    return [replace(first, problems=(*problems, *first.problems)), *others]
