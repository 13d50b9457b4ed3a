"""What a device says because of an incident, and how often each kind of incident is planted.

Rates are per device that can show it and day; they give the example site some 16 incidents a day,
which is lively, not likely: a factor makes them rarer. All are our choice.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from devices.instant import HOUR, MINUTE, SECOND, Micros
from devices.reading import Json
from devices.simulator.message import Said


class Act(NamedTuple):
    """One message of an incident: said by which of its devices, by position."""

    device: int
    said: Said


class Course(NamedTuple):
    """An incident's course: start ≤ t < until, µs, at so many devices; the credential in it."""

    start: Micros
    until: Micros
    devices: int
    credential: str


@dataclass(frozen=True, slots=True)
class Plot:
    """A kind of incident: which devices can show it, how long it lasts, what they say meanwhile."""

    what: str
    kind: str
    metric: str
    lasting: Micros
    rate: float
    says: Callable[[Course], Iterator[Act]]
    hides: frozenset[str]


def _once(metric: str) -> Callable[[Course], Iterator[Act]]:
    def says(course: Course) -> Iterator[Act]:
        yield Act(0, Said(course.start, {metric: 1.0}))

    return says


def _held(metric: str) -> Callable[[Course], Iterator[Act]]:
    """On from the start, said again every 10 minutes, off at the end."""

    def says(course: Course) -> Iterator[Act]:
        for at in range(course.start, course.until, 10 * MINUTE):
            yield Act(0, Said(at, {metric: 1.0}))
        yield Act(0, Said(course.until, {metric: 0.0}))

    return says


def _low_spo2(course: Course) -> Iterator[Act]:
    """Every 20 s: down from 96 % in six minutes, 86 to 88 % for a while, and well again."""
    for n, at in enumerate(range(course.start, course.until, 20 * SECOND)):
        falling = 96 - (at - course.start) // (40 * SECOND)
        yield Act(0, Said(at, {"spo2": float(max(falling, 88 - n % 3)), "pulse": 92.0 + n % 7}))
    yield Act(0, Said(course.until, {"spo2": 96.0, "pulse": 78.0}))


def _no_place_left(course: Course) -> Iterator[Act]:
    for at in range(course.start, course.until, 3 * MINUTE):
        yield Act(0, Said(at, {"parking_free": 0.0}))


def _no_movement(course: Course) -> Iterator[Act]:
    """The sensors are alive and see nobody, then somebody."""
    for device in range(course.devices):
        for at in range(course.start + device * SECOND, course.until, 20 * MINUTE):
            yield Act(device, Said(at, {"motion": 0.0}))
    yield Act(0, Said(course.until, {"motion": 1.0}))
    yield Act(0, Said(course.until + MINUTE, {"motion": 0.0}))


def _wrong_cards(course: Course) -> Iterator[Act]:
    """Five different cards refused, 8 s apart."""
    for n in range(5):
        card = f"unknown-{course.start // SECOND % 1_000:03d}-{n}"
        reason = {"credential": card, "reason": "unknown_card"}
        yield Act(0, Said(course.start + n * 8 * SECOND, {"access_denied": 1.0}, reason))


def _forced(course: Course) -> Iterator[Act]:
    yield Act(0, Said(course.start, {"door_forced": 1.0, "door_open": 1.0}))
    yield Act(0, Said(course.start + 15 * SECOND, {"door_open": 0.0}))


def _shared_card(course: Course) -> Iterator[Act]:
    """One credential at two doors of different buildings, half a minute apart."""
    card = {"credential": course.credential}
    for device, at in enumerate((course.start, course.start + 30 * SECOND)):
        yield Act(device, Said(at, {"access_granted": 1.0}, card))
        yield Act(device, Said(at + SECOND, {"door_open": 1.0}))
        yield Act(device, Said(at + 7 * SECOND, {"door_open": 0.0}))


def _replaced_card(course: Course) -> Iterator[Act]:
    """Somebody comes in with a card, and half a minute later somebody with the one it replaced."""
    for after, issue in ((0, 2), (30 * SECOND, 1)):
        at = course.start + after
        card: Mapping[str, Json] = {"credential": course.credential, "issue": issue}
        yield Act(0, Said(at, {"access_granted": 1.0}, card))
        yield Act(0, Said(at + SECOND, {"door_open": 1.0}))
        yield Act(0, Said(at + 7 * SECOND, {"door_open": 0.0}))


def _stairwell(course: Course) -> Iterator[Act]:
    """Smoke rises: the detectors of the stairwell tell of it one after another."""
    for device in range(course.devices):
        first = course.start + device * 100 * SECOND
        for at in range(first, course.until, 10 * MINUTE):
            yield Act(device, Said(at, {"smoke": 1.0}))
        yield Act(device, Said(course.until + device * SECOND, {"smoke": 0.0}))


_PASSAGE = frozenset({"access_denied", "access_granted", "door_open"})

PLOTS: tuple[Plot, ...] = (
    Plot("sos_pressed", "sos_button", "sos", MINUTE, 0.15, _once("sos"), frozenset({"sos"})),
    Plot(
        "fire_lane_blocked",
        "parking_bay",
        "occupied",
        25 * MINUTE,
        0.7,
        _held("occupied"),
        frozenset({"occupied"}),
    ),
    Plot(
        "low_spo2", "wearable", "spo2", 16 * MINUTE, 0.15, _low_spo2, frozenset({"spo2", "pulse"})
    ),
    Plot("wrong_cards", "door", "access_denied", MINUTE, 0.1, _wrong_cards, _PASSAGE),
    Plot("door_forced", "door", "door_forced", MINUTE, 0.1, _forced, _PASSAGE),
    Plot(
        "no_movement",
        "motion_sensor",
        "motion",
        14 * HOUR,
        0.01,
        _no_movement,
        frozenset({"motion"}),
    ),
    Plot("fall", "wearable", "fall", MINUTE, 0.15, _once("fall"), frozenset({"fall"})),
    Plot(
        "car_park_full",
        "car_park",
        "parking_free",
        30 * MINUTE,
        0.6,
        _no_place_left,
        frozenset({"parking_free"}),
    ),
    Plot(
        "smoke", "smoke_detector", "smoke", 12 * MINUTE, 0.05, _held("smoke"), frozenset({"smoke"})
    ),
    Plot("card_shared", "door", "access_granted", MINUTE, 0.05, _shared_card, _PASSAGE),
    Plot(
        "smoke_in_stairwell",
        "smoke_detector",
        "smoke",
        20 * MINUTE,
        0.01,
        _stairwell,
        frozenset({"smoke"}),
    ),
    Plot("card_replaced", "door", "access_granted", MINUTE, 0.02, _replaced_card, _PASSAGE),
)

CARD_PLOTS = frozenset({"card_shared", "card_replaced"})
"""Those that are about one card."""

BY_NAME: Mapping[str, Plot] = MappingProxyType({plot.what: plot for plot in PLOTS})

_MINUTES = (4, 9, 15, 24, 35, 45, 60, 75, 100, 110, 130, 150)
FIRST: tuple[Micros, ...] = tuple(m * MINUTE for m in _MINUTES)
"""How long after the start the first incident of each plot begins, in the order of PLOTS."""
