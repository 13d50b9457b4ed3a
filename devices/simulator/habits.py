"""What a healthy device of each kind says through a span of time, in time order.

A habit takes the device, the span and the device's own generator. Quiet sensors still report at
most 0.8 of their interval apart, as a healthy device must not seem silent.
"""

from collections.abc import Callable, Iterator, Mapping
from heapq import merge
from types import MappingProxyType

import numpy as np

from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros
from devices.inventory import Device
from devices.simulator.message import Said
from devices.simulator.rhythm import HOME_BY_HOUR, STREET_BY_HOUR, Span, busy, every, minutes

Rng = np.random.Generator
Habit = Callable[[Device, Span, Rng], Iterator[Said]]

_WATER_SHARE = np.concatenate([[0.0], np.cumsum(HOME_BY_HOUR) / sum(HOME_BY_HOUR)])


def keeps_clear(device: Device) -> bool:
    """True for a bay where nobody may park: its attribute fire_lane or hydrant is not 0."""
    return any(device.attributes.get(name, 0) for name in ("fire_lane", "hydrant"))


def speak(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """All that this device says when nothing is wrong, in time order, as its kind is known to."""
    habit = BY_KIND.get(device.kind, _silent)
    return merge(habit(device, span, rng), _battery(device, span, rng), key=lambda said: said.at)


def bay(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """A bay fills and empties by the street's rhythm; one to be kept clear sees brief stops."""
    yield from _filled(device, span, rng, _parking(device, span, rng))


def car_park(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Free places every half interval: full at night in a residential quarter, empty by day."""
    capacity = device.attributes.get("capacity", 100.0)
    for at in every(span, device.interval // 2, rng):
        away = 0.25 + 0.35 * STREET_BY_HOUR[(int(span.hour(at)) + 2) % 24]
        free = round(capacity * min(1.0, max(0.2, away + rng.normal(0, 0.02))))
        yield Said(at, {"parking_free": float(free)})


def barrier(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """A boom opens for each car for some seconds; heartbeats between."""
    return merge(_heartbeats(device, span, rng), _passages(span, rng), key=lambda said: said.at)


def door(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Card, door open, door shut; sometimes one wrong card before; heartbeats between."""
    return merge(_heartbeats(device, span, rng), _entries(span, rng), key=lambda said: said.at)


def card_reader(_device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Cards read by the street's rhythm."""
    for at in busy(span, 12, STREET_BY_HOUR, rng):
        yield Said(at, {"access_granted": 1.0}, _card(rng))


def motion(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Movement by the home's rhythm, each for a minute or two, and a report between."""
    moves = _pairs(busy(span, 8, HOME_BY_HOUR, rng), rng, "motion", (0.5, 2.0), span)
    return _filled(device, span, rng, moves)


def water(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """The meter, every half interval. It only grows, from one run of the simulator to the next."""
    per_day = 0.1 + (device.id * 37 % 100) / 400
    for at in every(span, device.interval // 2, rng):
        midnight = span.midnight(at)
        share = float(np.interp((at - midnight) / HOUR, np.arange(25), _WATER_SHARE))
        yield Said(at, {"water_volume": round((midnight // DAY % 2_000 + share) * per_day, 4)})


def wearable(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Pulse and blood oxygen every half interval, with the noise of a wrist."""
    resting = 62 + device.id * 13 % 18
    for at in every(span, device.interval // 2, rng):
        effort = 14 * HOME_BY_HOUR[int(span.hour(at))]
        pulse = float(np.clip(round(rng.normal(resting + effort, 3)), 50, 105))
        spo2 = float(np.clip(round(rng.normal(97, 0.7)), 95, 100))
        yield Said(at, {"pulse": pulse, "spo2": spo2})


def vital_signs(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """A full set of healthy values some times a day."""
    for at in every(span, device.interval // 4, rng):
        yield Said(
            at,
            {
                "pulse": float(round(rng.normal(72, 4))),
                "systolic": float(round(np.clip(rng.normal(128, 5), 112, 150))),
                "diastolic": float(round(np.clip(rng.normal(78, 3), 65, 95))),
                "body_temperature": round(float(np.clip(rng.normal(36.6, 0.15), 36.2, 37.2)), 1),
                "spo2": float(np.clip(round(rng.normal(97, 0.6)), 96, 100)),
                "breathing_rate": float(np.clip(round(rng.normal(16, 1)), 13, 19)),
            },
        )


def quiet(*metrics: str) -> Habit:
    """The habit of a detector: these states are 0, said every 0.8 of the interval."""

    def habit(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
        said = {metric: 0.0 for metric in metrics if metric in device.metrics}
        return (Said(at, said) for at in every(span, _repeat(device), rng))

    return habit


def gas(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """No gas, and a concentration of a few ppm."""
    for at in every(span, device.interval // 2, rng):
        ppm = round(abs(float(rng.normal(3, 1))), 1)
        yield Said(at, {"gas": 0.0, "gas_concentration": ppm})


def sos_button(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Heartbeats only: a press is an incident."""
    return _heartbeats(device, span, rng)


def gateway(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """Heartbeats only."""
    return _heartbeats(device, span, rng)


def _silent(_device: Device, _span: Span, _rng: Rng) -> Iterator[Said]:
    return iter(())


BY_KIND: Mapping[str, Habit] = MappingProxyType(
    {
        "parking_bay": bay,
        "car_park": car_park,
        "barrier": barrier,
        "door": door,
        "card_reader": card_reader,
        "sos_button": sos_button,
        "motion_sensor": motion,
        "water_meter": water,
        "wearable": wearable,
        "vital_signs": vital_signs,
        "smoke_detector": quiet("smoke"),
        "gas_detector": gas,
        "leak_sensor": quiet("water_leak"),
        "gateway": gateway,
    }
)
"""How each kind of `devices.kind` behaves."""


def _repeat(device: Device) -> Micros:
    return max(SECOND, device.interval * 8 // 10)


def _heartbeats(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    """The first within a minute of the start: a device says hello when it is switched on."""
    first = int(rng.integers(1, MINUTE // 1_000)) * 1_000
    beats = (at + first for at in range(span.start, span.end, _repeat(device)))
    return (Said(at, {"heartbeat": 1.0}) for at in beats)


def _battery(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    if "battery" not in device.metrics:
        return
    level = float(45 + device.id * 29 % 55)
    for at in every(span, 12 * HOUR, rng):
        yield Said(at, {"battery": level})


def _parking(device: Device, span: Span, rng: Rng) -> Iterator[Said]:
    if keeps_clear(device):
        stops = busy(span, 0.5, STREET_BY_HOUR, rng)
        return _pairs(stops, rng, "occupied", (0.2, 0.6), span)
    arrivals = busy(span, 0.6, STREET_BY_HOUR, rng)
    return _pairs(arrivals, rng, "occupied", (20.0, 240.0), span)


def _pairs(
    starts: Iterator[Micros], rng: Rng, metric: str, lasts: tuple[float, float], span: Span
) -> Iterator[Said]:
    """Each start switches the state on for so many minutes; starts while it is on are dropped."""
    over = span.start
    for at in starts:
        if at < over:
            continue
        over = at + minutes(rng, *lasts) + SECOND
        yield Said(at, {metric: 1.0})
        yield Said(over, {metric: 0.0})


def _filled(device: Device, span: Span, rng: Rng, changes: Iterator[Said]) -> Iterator[Said]:
    """The changes, with the last state said again wherever they leave 0.8 of an interval empty."""
    metric = device.metrics[0]
    last = Said(span.start + int(rng.integers(MINUTE)) // 1_000 * 1_000, {metric: 0.0})
    yield last
    for change in (c for c in changes if c.at > last.at):
        yield from _again(device, last, change.at)
        last = change
        yield change
    yield from _again(device, last, span.end)


def _again(device: Device, last: Said, until: Micros) -> Iterator[Said]:
    step = _repeat(device)
    return (Said(at, last.values) for at in range(last.at + step, until, step))


def _passages(span: Span, rng: Rng) -> Iterator[Said]:
    free = span.start
    for at in busy(span, 20, STREET_BY_HOUR, rng):
        if at < free:
            continue
        way = "vehicle_entry" if rng.random() < 0.5 else "vehicle_exit"
        free = at + int(rng.integers(6, 14)) * SECOND
        yield Said(at, {way: 1.0, "barrier_open": 1.0}, {"plate": f"E{rng.integers(10_000):05d}"})
        yield Said(free, {"barrier_open": 0.0})


def _entries(span: Span, rng: Rng) -> Iterator[Said]:
    free = span.start
    for asked in busy(span, 15, STREET_BY_HOUR, rng):
        if asked < free:
            continue
        at, card = asked, _card(rng)
        if rng.random() < 0.02:
            yield Said(at, {"access_denied": 1.0}, {**card, "reason": "unreadable"})
            at += 3 * SECOND
        free = at + int(rng.integers(4, 15)) * SECOND
        yield Said(at, {"access_granted": 1.0}, card)
        yield Said(at + SECOND, {"door_open": 1.0})
        yield Said(free, {"door_open": 0.0})


def _card(rng: Rng) -> Mapping[str, str]:
    return {"credential": f"card-{rng.integers(400):04d}"}
