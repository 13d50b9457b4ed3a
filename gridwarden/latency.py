"""From publish to the inbox, in real time: measured, not computed from stored times."""

import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from devices.instant import Micros
from gridwarden.clock import ScaledClock

REMEMBERED = 100_000
"""Messages whose publish instant is kept; the oldest are forgotten first."""

Key = tuple[str, Micros]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Seconds of real time over `count` alerts; None where there was none yet."""

    count: int
    p50: float | None
    p99: float | None


class LatencyMeter:
    """Joins what was published with what came into an inbox; used from two threads.

    An alert fired by a message is timed from that message's publish; one fired by a timer (held for
    2 min, nothing heard for 12 h) from the real instant at which the timer was due.
    """

    def __init__(self, clock: ScaledClock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._published: OrderedDict[Key, Micros] = OrderedDict()
        self._seconds: list[float] = []

    def published(self, device: str, due: Micros, real_now: Micros) -> None:
        """A device's message about this instant is handed to the broker now."""
        with self._lock:
            self._published.setdefault((device, due // 1_000), real_now)
            if len(self._published) > REMEMBERED:
                self._published.popitem(last=False)

    def arrived(self, devices: Iterable[str], fired_at: Micros, real_now: Micros) -> float:
        """An alert that these devices caused at this instant is in an inbox now; seconds taken."""
        with self._lock:
            told = [self._published.get((device, fired_at // 1_000)) for device in devices]
            known = [real for real in told if real is not None]
            began = max(known) if known else self._clock.real(fired_at)
            seconds = max(0, real_now - began) / 1e6
            self._seconds.append(seconds)
        return seconds

    def percentiles(self) -> Percentiles:
        """Over all alerts so far."""
        with self._lock:
            taken = np.array(self._seconds)
        if not len(taken):
            return Percentiles(0, None, None)
        p50, p99 = np.percentile(taken, [50, 99])
        return Percentiles(len(taken), float(p50), float(p99))
