"""Plays a simulated city: generated, published or only counted, in one process or several.

The city is made once; each process plays its share of the areas, so that a device's messages are
all of one process and go over one connection.
"""

import multiprocessing
import resource
import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from devices.instant import SECOND, Clock, Micros
from devices.simulator.city import Burst, City
from devices.simulator.errors import PublishError
from devices.simulator.publish import Account, Address, Publisher
from gridwarden.clock import ScaledClock, WallClock
from gridwarden.stopping import stopping_on_signals

CHUNK = 2_000
"""Messages between two looks at the clock and at whether to stop."""

Tell = Callable[["Figures"], None]


class Figures(NamedTuple):
    """How far a run is: simulated time (µs, UTC), messages made, handed over, acknowledged."""

    now: Micros = 0
    made: int = 0
    sent: int = 0
    accepted: int = 0
    reconnects: int = 0

    def plus(self, other: "Figures") -> "Figures":
        """Both together, the earlier of the two times."""
        now = min(self.now, other.now) if self.now else other.now
        return Figures(now, *(a + b for a, b in zip(self[1:], other[1:], strict=True)))


@dataclass(frozen=True, slots=True)
class Line:
    """Where to publish, or None to count only. accounts: a connection for each, in turn by row."""

    address: Address | None
    connections: int = 1
    window: int = 1_000
    accounts: Sequence[Account] = field(default=(), repr=False)


def play_city(
    city: City, line: Line, *, speed: float, processes: int, stop: threading.Event, tell: Tell
) -> Figures:
    """Play the whole city; speed 0 is as fast as it goes. PublishError where publishing fails.

    `tell` is told now and then how far it is. Stops early when `stop` is set, or Ctrl-C comes: what
    was handed over by then is still waited for.
    """
    clock = ScaledClock(city.span.start, WallClock().now(), speed) if speed else None
    if processes == 1:
        return _play(city, line, clock, stop, tell)
    return _in_processes(city, line, clock, processes, stop=stop, tell=tell)


def peak_memory() -> int:
    """The most memory that this process and each of its children held at once, bytes."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return 1_024 * (own + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)


def _play(
    city: City, line: Line, clock: Clock | None, stop: threading.Event, tell: Tell
) -> Figures:
    if line.address is None:
        opened: Any = nullcontext()
    else:
        opened = Publisher(
            line.address,
            connections=line.connections,
            window=line.window,
            accounts=line.accounts,
            clock=WallClock(),
        )
    with opened as publisher:
        figures = Figures(city.span.start)
        for burst in city.bursts():
            figures = _burst(burst, publisher, clock, stop=stop, figures=figures, tell=tell)
            if stop.is_set():
                break
        if publisher is not None:
            publisher.drain()
        figures = _figures(figures.now, figures.made, publisher)
        tell(figures)
        return figures


def _burst(
    burst: Burst,
    publisher: Publisher | None,
    clock: Clock | None,
    *,
    stop: threading.Event,
    figures: Figures,
    tell: Tell,
) -> Figures:
    """Publish a slice's messages as they fall due."""
    rows, total, at, made = burst.row.tolist(), len(burst.row), 0, figures.made
    while at < total and not stop.is_set():
        upto = min(at + CHUNK, total)
        if clock is not None:
            ripe = int(np.searchsorted(burst.due, clock.now() // 1_000, "right"))
            upto = min(upto, ripe)
            if upto == at:
                _wait(publisher, stop, burst.due[at], clock)
                tell(_figures(clock.now(), made, publisher))
                continue
        if publisher is not None:
            chosen = slice(at, upto)
            publisher.publish_all(rows[chosen], burst.topic[chosen], burst.payload[chosen])
        made, at = made + upto - at, upto
        tell(_figures(int(burst.due[at - 1]) * 1_000, made, publisher))
    return _figures(int(burst.due[at - 1]) * 1_000 if at else figures.now, made, publisher)


def _wait(publisher: Publisher | None, stop: threading.Event, due: int, clock: Clock) -> None:
    early = (int(due) * 1_000 - clock.now()) / SECOND
    if isinstance(clock, ScaledClock):
        early /= clock.speed
    seconds = min(0.1, max(0.002, early))
    if publisher is None:
        stop.wait(seconds)
    else:
        publisher.idle(seconds)


def _figures(now: Micros, made: int, publisher: Publisher | None) -> Figures:
    if publisher is None:
        return Figures(now, made)
    return Figures(now, made, publisher.sent, publisher.accepted, publisher.reconnects)


def _in_processes(
    city: City,
    line: Line,
    clock: Clock | None,
    processes: int,
    *,
    stop: threading.Event,
    tell: Tell,
) -> Figures:
    context = multiprocessing.get_context("fork")
    shared = [context.Array("q", len(Figures._fields)) for _ in range(processes)]
    errors = context.SimpleQueue()
    stopping = context.Event()
    children = [
        context.Process(
            target=_child,
            args=(city.share_of(part, processes), line, clock, (stopping, shared[part], errors)),
        )
        for part in range(processes)
    ]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        if stop.is_set():
            stopping.set()
        children[0].join(0.2)
        for child in children:
            child.join(0)
        tell(_together(shared))
    if not errors.empty():
        raise PublishError(str(errors.get()))
    if any(child.exitcode for child in children):
        raise PublishError("a process of the simulation ended before its work was done")
    return _together(shared)


def _together(shared: Sequence[Any]) -> Figures:
    total = Figures()
    for array in shared:
        total = total.plus(Figures(*array[:]))
    return total


def _child(city: City, line: Line, clock: Clock | None, ties: tuple[Any, Any, Any]) -> None:
    """One process's share. ties: the parent's event to stop, figures to tell it, its errors."""
    stopping, shared, errors = ties

    def tell(figures: Figures) -> None:
        shared[:] = list(figures)
        if stopping.is_set():
            stop.set()

    stop = threading.Event()
    with stopping_on_signals(stop):
        try:
            _play(city, line, clock, stop, tell)
        except PublishError as error:
            errors.put(str(error))
