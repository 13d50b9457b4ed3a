"""Incidents planted in the day, each with what, where, from and until: the ground truth.

A plot says what the device reports during its incident; what the device would have said of the
same metrics in that time is left out. The first incident comes within minutes of the start, the
first of every plot within two hours, and the rest are spread over each day.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros, to_datetime
from devices.inventory import Device, Inventory
from devices.simulator.habits import keeps_clear
from devices.simulator.message import Said
from devices.simulator.rhythm import Span, generator


@dataclass(frozen=True, slots=True)
class Incident:
    """One planted incident: start ≤ t < until in µs since epoch, UTC; `metric` shows it."""

    what: str
    device: str
    community: str
    device_id: int
    household: int | None
    area: int
    metric: str
    start: Micros
    until: Micros

    def record(self) -> dict[str, object]:
        """This as a line of incidents.jsonl, its times in RFC 3339, UTC."""
        times = {
            "from": to_datetime(self.start).isoformat(),
            "until": to_datetime(self.until).isoformat(),
        }
        codes = {"what": self.what, "community": self.community, "device": self.device}
        return {**codes, "metric": self.metric, **times}


@dataclass(frozen=True, slots=True)
class Plot:
    """A kind of incident: at which devices, how long, and what they say meanwhile."""

    what: str
    kind: str
    metric: str
    lasting: Micros
    says: Callable[[Incident], Iterator[Said]]


def _once(metric: str) -> Callable[[Incident], Iterator[Said]]:
    def says(incident: Incident) -> Iterator[Said]:
        yield Said(incident.start, {metric: 1.0})

    return says


def _held(metric: str) -> Callable[[Incident], Iterator[Said]]:
    """On from the start, said again every 10 minutes, off at the end."""

    def says(incident: Incident) -> Iterator[Said]:
        for at in range(incident.start, incident.until, 10 * MINUTE):
            yield Said(at, {metric: 1.0})
        yield Said(incident.until, {metric: 0.0})

    return says


def _low_spo2(incident: Incident) -> Iterator[Said]:
    """Readings every 20 s of 86 to 89 %, then well again."""
    for n, at in enumerate(range(incident.start, incident.until, 20 * SECOND)):
        yield Said(at, {"spo2": 89.0 - n % 4, "pulse": 96.0 + n % 5})
    yield Said(incident.until, {"spo2": 96.0, "pulse": 78.0})


def _no_place_left(incident: Incident) -> Iterator[Said]:
    for at in range(incident.start, incident.until, 3 * MINUTE):
        yield Said(at, {"parking_free": 0.0})


def _no_movement(incident: Incident) -> Iterator[Said]:
    """The sensor is alive and sees nobody, then somebody."""
    for at in range(incident.start, incident.until, 20 * MINUTE):
        yield Said(at, {"motion": 0.0})
    yield Said(incident.until, {"motion": 1.0})
    yield Said(incident.until + MINUTE, {"motion": 0.0})


def _wrong_cards(incident: Incident) -> Iterator[Said]:
    """Five different cards refused, 8 s apart."""
    for n in range(5):
        card = f"unknown-{incident.start // SECOND % 1_000:03d}-{n}"
        reason = {"credential": card, "reason": "unknown_card"}
        yield Said(incident.start + n * 8 * SECOND, {"access_denied": 1.0}, reason)


def _forced(incident: Incident) -> Iterator[Said]:
    yield Said(incident.start, {"door_forced": 1.0, "door_open": 1.0})
    yield Said(incident.start + 15 * SECOND, {"door_open": 0.0})


PLOTS: tuple[Plot, ...] = (
    Plot("sos_pressed", "sos_button", "sos", MINUTE, _once("sos")),
    Plot("fire_lane_blocked", "parking_bay", "occupied", 25 * MINUTE, _held("occupied")),
    Plot("low_spo2", "wearable", "spo2", 8 * MINUTE, _low_spo2),
    Plot("wrong_cards", "door", "access_denied", MINUTE, _wrong_cards),
    Plot("door_forced", "door", "door_forced", MINUTE, _forced),
    Plot("no_movement", "motion_sensor", "motion", 14 * HOUR, _no_movement),
    Plot("fall", "wearable", "fall", MINUTE, _once("fall")),
    Plot("car_park_full", "car_park", "parking_free", 30 * MINUTE, _no_place_left),
    Plot("smoke", "smoke_detector", "smoke", 12 * MINUTE, _held("smoke")),
)

FIRST: tuple[Micros, ...] = tuple(m * MINUTE for m in (4, 9, 15, 24, 35, 45, 60, 75, 100))
"""How long after the start the first incident of each plot begins, in the order of PLOTS."""

NEXT: Micros = 90 * MINUTE
"""About how long after each other the later ones begin (16 a day)."""


def plan(inventory: Inventory, span: Span, seed: int) -> list[Incident]:
    """The incidents of this span, by their start, no two at one device at a time."""
    rng = generator(seed, "incidents", str(span.start))
    pools = {plot.what: _shuffled(inventory, plot, rng) for plot in PLOTS}
    planned: list[Incident] = []
    for start, plot in _schedule(span, rng):
        device = _free(pools[plot.what], planned, start, start + plot.lasting)
        if device is not None:
            planned.append(_incident(plot, device, start))
    return planned


def during(incident: Incident) -> Iterator[Said]:
    """What the incident's device says because of it, in time order."""
    return _SAYS[incident.what](incident)


def undisturbed(said: Iterable[Said], own: Sequence[Incident]) -> Iterator[Said]:
    """What a device says apart from its incidents: their metrics are left out while they last."""
    for one in said:
        hidden = {m for i in own if _covers(i, one.at) for m in _HIDDEN[i.what]}
        values = {m: v for m, v in one.values.items() if m not in hidden}
        if values:
            yield Said(one.at, values, one.attributes)


def by_device(
    inventory: Inventory, planned: Sequence[Incident]
) -> Mapping[int, tuple[Incident, ...]]:
    """The incidents that each device shows; where nobody moves, all motion sensors of the home."""
    shown: dict[int, list[Incident]] = {}
    for incident in planned:
        for device in _witnesses(inventory, incident):
            shown.setdefault(device, []).append(incident)
    return MappingProxyType({device: tuple(own) for device, own in shown.items()})


_SAYS = {plot.what: plot.says for plot in PLOTS}
_HIDDEN = {plot.what: {plot.metric} for plot in PLOTS} | {
    "low_spo2": {"spo2", "pulse"},
    "wrong_cards": {"access_denied", "access_granted", "door_open"},
    "door_forced": {"door_open", "access_granted"},
}


def _schedule(span: Span, rng: np.random.Generator) -> Iterator[tuple[Micros, Plot]]:
    """Whole seconds, so that a payload's milliseconds tell exactly when an incident began."""
    begin = -(-span.start // SECOND) * SECOND
    for after, plot in zip(FIRST, PLOTS, strict=True):
        yield begin + after, plot
    others = [plot for plot in PLOTS if plot.lasting < DAY / 4]
    at, turn = begin + 3 * HOUR, 0
    while at < span.end:
        yield at, others[turn % len(others)]
        at += int(NEXT * rng.uniform(0.6, 1.4)) // MINUTE * MINUTE
        turn += 1


def _shuffled(inventory: Inventory, plot: Plot, rng: np.random.Generator) -> list[Device]:
    able = [d for d in inventory.devices.values() if _fits(inventory, plot, d)]
    return [able[i] for i in rng.permutation(len(able))]


def _fits(inventory: Inventory, plot: Plot, device: Device) -> bool:
    if device.kind != plot.kind or plot.metric not in device.metrics:
        return False
    if plot.what == "fire_lane_blocked":
        return keeps_clear(device)
    if plot.what in {"no_movement", "low_spo2"}:
        return _cared_for(inventory, device)
    return True


def _cared_for(inventory: Inventory, device: Device) -> bool:
    """True in a home where somebody is looked after and somebody is at home."""
    if device.household is None:
        return False
    home = inventory.households[device.household]
    return home.care and not home.away


def _free(
    pool: list[Device], planned: Sequence[Incident], start: Micros, until: Micros
) -> Device | None:
    """The next device that shows no other incident then; it goes to the end of the pool."""
    margin = 30 * MINUTE
    taken = {i.device_id for i in planned if i.start - margin < until and start < i.until + margin}
    for device in pool:
        if device.id not in taken:
            pool.remove(device)
            pool.append(device)
            return device
    return None


def _incident(plot: Plot, device: Device, start: Micros) -> Incident:
    return Incident(
        plot.what,
        device.code,
        device.community,
        device.id,
        device.household,
        device.area,
        plot.metric,
        start,
        start + plot.lasting,
    )


def _covers(incident: Incident, at: Micros) -> bool:
    return incident.start <= at <= incident.until + MINUTE


def _witnesses(inventory: Inventory, incident: Incident) -> list[int]:
    if incident.what != "no_movement":
        return [incident.device_id]
    return [
        d.id
        for d in inventory.devices.values()
        if d.household == incident.household and d.kind == "motion_sensor"
    ]
