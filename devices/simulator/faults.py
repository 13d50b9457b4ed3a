"""What goes wrong on the way in every real city, so that rejects and duplicates are seen.

A duplicate (the same bytes twice), a late message, a rubbish payload, a device whose clock says
1970, and a device that nobody registered: one of each in turn, about every 12 minutes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from devices import topic
from devices.instant import MINUTE, SECOND, Micros
from devices.inventory import Device, Inventory
from devices.simulator.message import Message, Said, native
from devices.simulator.rhythm import Span, generator

EVERY: Micros = 12 * MINUTE
LATE_BY: Micros = 20 * MINUTE

Fault = Callable[[Device, Micros], list[Message]]


@dataclass(frozen=True, slots=True)
class Planted:
    """Faults by their name, to be compared with what the service counts."""

    name: str
    messages: list[Message]


def faults(inventory: Inventory, span: Span, seed: int) -> Iterator[Message]:
    """The faulty messages of this span, in time order."""
    for planted in plan(inventory, span, seed):
        yield from planted.messages


def plan(inventory: Inventory, span: Span, seed: int) -> Iterator[Planted]:
    """Each fault of this span with its name, in time order; none without battery sensors."""
    rng = generator(seed, "faults", str(span.start))
    victims = [d for d in inventory.devices.values() if "battery" in d.metrics]
    turns = range(span.start + EVERY // 2, span.end, EVERY) if victims else ()
    for turn, at in enumerate(turns):
        name, fault = _IN_TURN[turn % len(_IN_TURN)]
        yield Planted(name, fault(_one_of(victims, rng), at))


def _one_of(devices: Sequence[Device], rng: np.random.Generator) -> Device:
    return devices[int(rng.integers(len(devices)))]


def _duplicate(device: Device, at: Micros) -> list[Message]:
    payload = _battery(at)
    address = topic.up(device.community, device.code)
    return [Message(at, address, payload), Message(at + SECOND, address, payload)]


def _late(device: Device, at: Micros) -> list[Message]:
    return [Message(at, topic.up(device.community, device.code), _battery(at - LATE_BY))]


def _rubbish(device: Device, at: Micros) -> list[Message]:
    return [Message(at, topic.up(device.community, device.code), b'{"ts": 17\x00\xff not json')]


def _unset_clock(device: Device, at: Micros) -> list[Message]:
    uptime = at % (1_000 * SECOND)
    return [Message(at, topic.up(device.community, device.code), _battery(uptime))]


def _unknown_device(device: Device, at: Micros) -> list[Message]:
    return [Message(at, topic.up(device.community, "unregistered-1"), _battery(at))]


def _battery(at: Micros) -> bytes:
    return native(Said(at, {"battery": 77.0}))


_IN_TURN: tuple[tuple[str, Fault], ...] = (
    ("rubbish", _rubbish),
    ("duplicate", _duplicate),
    ("unset_clock", _unset_clock),
    ("late", _late),
    ("unknown_device", _unknown_device),
)
