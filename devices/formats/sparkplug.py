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
  BIRTH. `decode` has no memory and reads what is named; a `Session` per edge node remembers.
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

_NAMESPACE = "spBv1.0"
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
_CALLS = frozenset({"sos", "fall"})
_EARLIEST, _LATEST = 10**12, 10**14
"""Milliseconds since the Unix epoch between which a time is an instant: 2001 to the year 5138."""


@dataclass(frozen=True, slots=True)
class Known:
    """What a BIRTH says of a metric."""

    name: str
    datatype: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class Births:
    """What a device announced, by name and by alias."""

    names: Mapping[str, Known] = field(default_factory=dict)
    aliases: Mapping[int, Known] = field(default_factory=dict)
    problems: tuple[FormatError, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
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
    place = _place(topic.original)
    message = read(payload)
    if place.kind == "NDEATH":
        _session_number(message)
        return [Observation(place.node, None, {"heartbeat": 0.0})]
    if place.death:
        return [_dead(place, message)]
    return _observed(place, message, Births())


class Session:
    """What one edge node has announced since its NBIRTH. Reads no clock and does no I/O.

    node: `{group}/{edge node}`. Messages are heard in the order in which they came. A missing one
    is a problem of the next: what came after it is kept, but a rebirth is needed to be sure of it.
    """

    def __init__(self, node: str) -> None:
        self.node = node
        self.rebirth_needed = False
        self._births: dict[str, Births] = {}
        self._last: int | None = None
        self._number: int | None = None

    def hear(self, topic: UpTopic, payload: bytes) -> list[Observation]:
        """What a message says, with what was announced before; FormatError if it says nothing."""
        place = _place(topic.original)
        if place.node != self.node:
            raise bad(f"topic {short(topic.original)} is of {place.node!r}, not of {self.node!r}")
        message = read(payload)
        if place.kind == "NDEATH":
            return self._died(message)
        if place.kind == "NBIRTH":
            return self._born(place, message)
        return self._continued(place, message)

    def _born(self, place: _Place, message: Payload) -> list[Observation]:
        if message.seq is None or message.seq > 255:
            raise bad(f"sequence number {message.seq} of NBIRTH is not 0 to 255")
        births = _announced(message)
        self._births = {self.node: births}
        self._last = message.seq
        self._number = _find_session_number(message)
        self.rebirth_needed = False
        return _with(births.problems, _observed(place, message, births))

    def _died(self, message: Payload) -> list[Observation]:
        number = _session_number(message)
        if self._number is not None and number != self._number:
            raise nothing(f"the death of session {number}; session {self._number} lives")
        silent = [self.node, *(device for device in self._births if device != self.node)]
        self._births = {}
        self._last = None
        return [Observation(device, None, {"heartbeat": 0.0}) for device in silent]

    def _continued(self, place: _Place, message: Payload) -> list[Observation]:
        if self.node not in self._births:
            self.rebirth_needed = True
            raise bad(f"{place.kind} before the NBIRTH of {self.node!r}: a rebirth is needed")
        missing = self._counted(message)
        try:
            return _with(missing, self._said(place, message))
        except FormatError as error:
            text = "; ".join([*(problem.detail for problem in missing), error.detail])
            raise FormatError(error.reason, text) from None

    def _said(self, place: _Place, message: Payload) -> list[Observation]:
        if place.death:
            self._births.pop(place.device, None)
            return [_dead(place, message)]
        if place.birth:
            births = self._births[place.device] = _announced(message)
            return _with(births.problems, _observed(place, message, births))
        if place.device not in self._births:
            self.rebirth_needed = True
            raise bad(f"DDATA before the DBIRTH of {place.device!r}: a rebirth is needed")
        births = self._births[place.device]
        self.rebirth_needed |= any(
            not metric.name and metric.alias not in births.aliases for metric in message.metrics
        )
        return _observed(place, message, births)

    def _counted(self, message: Payload) -> tuple[FormatError, ...]:
        """The problem of a sequence number that does not follow the last one."""
        last, self._last = self._last, message.seq if message.seq is not None else self._last
        if last is not None and message.seq == (last + 1) % 256:
            return ()
        self.rebirth_needed = True
        return (bad(f"sequence number {message.seq} after {last}: a rebirth is needed"),)


def _place(topic: str) -> _Place:
    levels = topic.split("/")
    if levels[0] == "STATE" or levels[:2] == [_NAMESPACE, "STATE"]:
        raise nothing("the state of a host application")
    kind = levels[2] if len(levels) > 2 else ""
    if levels[0] == _NAMESPACE and kind in ("NCMD", "DCMD"):
        raise nothing("a command to an edge node or a device")
    if levels[0] != _NAMESPACE or len(levels) != _LEVELS.get(kind) or not all(levels):
        raise bad(
            f"topic {short(topic)} has not the form"
            f" {_NAMESPACE}/{{group}}/{{type}}/{{edge node}}[/{{device}}]"
        )
    node = f"{levels[1]}/{levels[3]}"
    return _Place(kind, node, "/".join([node, *levels[4:]]))


def _announced(message: Payload) -> Births:
    """What a BIRTH announces; an alias given twice is no metric's."""
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
    problems = tuple(bad(f"alias {alias} is announced twice") for alias in sorted(twice))
    single = {alias: known for alias, known in aliases.items() if alias not in twice}
    return Births(names, single, problems)


def _observed(place: _Place, message: Payload, births: Births) -> list[Observation]:
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
        name = _meant(known.name)
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
    return _with(problems, [Observation(place.device, t, values) for t, values in said.items()])


def _resolved(metric: Metric, births: Births) -> Known:
    if metric.name:
        known = births.names.get(metric.name, Known(metric.name, None, ""))
        return replace(
            known, datatype=metric.datatype or known.datatype, unit=metric.unit or known.unit
        )
    if metric.alias is None:
        raise bad("a metric has neither a name nor an alias")
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
    return value != 0.0 and (not birth or name in _CALLS)


def _meant(name: str) -> str | None:
    """Our metric for a vendor's name."""
    if name.startswith(("Node Control/", "Device Control/")):
        return None
    return _NAMES.get(name.rpartition("/")[2].lower().translate(_DROPPED))


def _twofold(names: Iterable[str]) -> frozenset[str]:
    """Our metrics that several of these names mean."""
    meant = Counter(_meant(name) for name in names)
    return frozenset(name for name, count in meant.items() if name is not None and count > 1)


def _time(metric: Metric, message: Payload) -> Micros | None:
    time = _instant(message.time if metric.time is None else metric.time)
    if metric.historical and (metric.time is None or time is None):
        raise bad(f"{short(metric.name or metric.alias)} is of the past and has no time")
    return time


def _instant(milliseconds: int | None) -> Micros | None:
    if milliseconds is None or not _EARLIEST <= milliseconds <= _LATEST:
        return None
    return milliseconds * 1_000


def _dead(place: _Place, message: Payload) -> Observation:
    return Observation(place.device, _instant(message.time), {"heartbeat": 0.0})


def _session_number(message: Payload) -> int:
    number = _find_session_number(message)
    if number is None:
        raise bad("NDEATH has no 'bdSeq', so it does not tell which session has ended")
    return number


def _find_session_number(message: Payload) -> int | None:
    for metric in message.metrics:
        if metric.name == "bdSeq" and isinstance(metric.value, int):
            return metric.value
    return None


def _with(problems: Iterable[FormatError], seen: list[Observation]) -> list[Observation]:
    """The observations, the first of them with these problems too."""
    first, *others = seen
    return [replace(first, problems=(*problems, *first.problems)), *others]
