"""What devices say in a test: series and single readings, as rows in the order of their arrival."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from devices.document import Data
from devices.instant import Micros, format_duration
from devices.inventory import Device
from devices.metric import BY_NAME, Metric
from devices.reading import Reading
from devices.suggest import did_you_mean, one_of
from rules.entry import LONGEST, Entry
from rules.testing.fields import listed, required_instant
from rules.testing.moment import Scale
from rules.testing.notation import Series, read_series
from rules.testing.scene import SEPARATOR, Scene

HEARTBEAT = "heartbeat"
"""Any device may send it: the broker's word that it is online (1) or offline (0)."""

READING_KEYS = frozenset({"at", "device", "values", "late", "attributes"})


class Said(NamedTuple):
    """One number of one device. time, arrival: µs, UTC · attributes: of the event, by name."""

    time: Micros
    arrival: Micros
    device: int
    metric: str
    value: float
    attributes: Mapping[str, str]

    def reading(self) -> Reading:
        """The same as the evaluator takes it."""
        return Reading(self.time, self.arrival, self.device, BY_NAME[self.metric].id, self.value)


def read_said(
    entry: Entry, scene: Scene, scale: Scale, interval: Micros
) -> tuple[tuple[Said, ...], frozenset[int], int]:
    """Everything that is said, by arrival; the ids of the devices that are named, whether they say
    anything or not; and the number of steps of the longest series.
    """
    reader = _Reader(scene, scale, interval)
    said: list[Said] = []
    longest = 0
    series = entry.part("series")
    for key in series.data if series else ():
        if series is not None:
            told, steps = reader.series(series, key)
            said += told
            longest = max(longest, steps)
    for item in listed(entry, "readings"):
        said += reader.readings(item)
    said.sort(key=lambda one: one.arrival)
    return tuple(said), frozenset(reader.named), longest


@dataclass(frozen=True, slots=True)
class _Reader:
    scene: Scene
    scale: Scale
    interval: Micros
    named: set[int] = field(default_factory=set)

    def series(self, entry: Entry, key: str) -> tuple[list[Said], int]:
        """What the series of this key says, and how many steps it fills."""
        name, dot, metric_name = key.rpartition(".")
        if not dot:
            entry.complain(key, "names no metric", "write DEVICE.METRIC, e.g. band.spo2")
            return [], 0
        device = self._device(entry, key, name)
        metric = _metric(entry, key, metric_name, device)
        series = _series(entry, key)
        if device is None or metric is None:
            return [], series.steps
        if series.steps * self.interval > LONGEST:
            hint = f"use a shorter interval than {format_duration(self.interval)}"
            entry.complain(key, "goes on for more than a year", hint)
            return [], 0
        _check_values(entry, key, metric, (p.value for p in series.points if p.online is None))
        said = []
        for point in series.points:
            at = self.scale.start + point.step * self.interval
            word = metric.name if point.online is None else HEARTBEAT
            said.append(Said(at, at, device.id, word, point.value, point.attributes))
        return said, series.steps

    def readings(self, entry: Entry) -> Iterator[Said]:
        """What one entry of `readings` says: one message."""
        entry.refuse_others(READING_KEYS)
        at = required_instant(entry, "at", self.scale)
        if at is not None and at < self.scale.start:
            entry.complain("at", "is before the start", "let the test start earlier")
        late = entry.duration("late", least=0)
        name = entry.text("device")
        device = self._device(entry, "device", name) if name else None
        attributes = _attributes(entry)
        if entry.data.get("values") is None:
            entry.complain("values", "is missing", "write values: {METRIC: NUMBER}")
        values = entry.part("values")
        for metric_name, value in values.data.items() if values else ():
            metric = _metric(entry, "values", metric_name, device)
            number = _number(entry, metric_name, value)
            if metric is None or number is None:
                continue
            _check_values(entry, "values", metric, [number])
            if at is not None and device is not None:
                yield Said(at, at + late, device.id, metric.name, number, attributes)

    def _device(self, entry: Entry, key: str, name: str) -> Device | None:
        found = self.scene.devices(name)
        if len(found) == 1:
            self.named.add(found[0].id)
            return found[0]
        codes = [device.code for device in self.scene.inventory.devices.values()]
        if found:
            several = [f"{device.community}{SEPARATOR}{device.code}" for device in found]
            entry.complain(key, f"{name!r} is in several communities", one_of(several))
        else:
            entry.complain(key, f"there is no device {name!r}", did_you_mean(name, codes))
        return None


def _series(entry: Entry, key: str) -> Series:
    """The series in this field; what is wrong in it is noted."""
    value = entry.data[key]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        entry.complain(key, f"{value!r} is not a series", "write e.g. '97 x5 90 _ x3'")
        return Series((), 0, ())
    series = read_series(str(value))
    for complaint in series.complaints:
        what = f"{complaint.what} (column {complaint.column} of {value!r})"
        entry.complain(key, what, complaint.hint)
    return series


def _metric(entry: Entry, key: str, name: str, device: Device | None) -> Metric | None:
    """The metric of this name; noted where there is none, or the device does not report it."""
    if name not in BY_NAME:
        entry.complain(key, f"unknown metric {name!r}", did_you_mean(name, BY_NAME))
        return None
    if device is not None and name != HEARTBEAT and name not in device.metrics:
        what = f"{device.code!r} does not report {name!r}"
        entry.complain(key, what, f"its metrics: {', '.join(device.metrics)}")
    return BY_NAME[name]


def _check_values(entry: Entry, key: str, metric: Metric, values: Iterable[float]) -> None:
    """Note what ingest would refuse: it never comes to the rules."""
    for value in sorted({v for v in values if not metric.low <= v <= metric.high}):
        limits = f"{metric.name} lies between {metric.low:g} and {metric.high:g} {metric.unit}"
        entry.complain(key, f"{value:g} is impossible", limits)


def _number(entry: Entry, name: str, value: Data) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        entry.complain("values", f"{value!r}, of {name!r}, is not a number")
        return None
    return float(value)


def _attributes(entry: Entry) -> Mapping[str, str]:
    part = entry.part("attributes")
    found = {}
    for name, value in part.data.items() if part else ():
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            entry.complain("attributes", f"{value!r}, of {name!r}, is not a text")
        else:
            found[name] = str(value)
    return found
