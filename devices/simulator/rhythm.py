"""When things happen in a community's day: instants, drawn from a seeded generator.

All instants are whole milliseconds in µs since the Unix epoch, UTC; hours are local time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from zlib import crc32

import numpy as np

from devices.instant import HOUR, MINUTE, Micros, to_datetime

MILLISECOND: Micros = 1_000

HOME_BY_HOUR = (
    *(0.02, 0.02, 0.02, 0.02, 0.05, 0.30, 0.80, 1.00, 0.80, 0.60, 0.60, 0.80),
    *(0.90, 0.40, 0.40, 0.60, 0.70, 0.90, 1.00, 0.90, 0.80, 0.60, 0.30, 0.08),
)
"""How busy a home is, by local hour, as a share of its busiest; our choice."""

STREET_BY_HOUR = (
    *(0.02, 0.01, 0.01, 0.01, 0.03, 0.15, 0.50, 1.00, 0.90, 0.50, 0.40, 0.60),
    *(0.60, 0.40, 0.40, 0.50, 0.70, 1.00, 0.95, 0.70, 0.50, 0.30, 0.15, 0.05),
)
"""How busy doors, barriers and bays are, by local hour, as a share of their busiest; our choice."""


@dataclass(frozen=True, slots=True)
class Span:
    """start ≤ t < end, µs since the Unix epoch, UTC, in a community of this time zone."""

    start: Micros
    end: Micros
    zone: tzinfo

    def hour(self, at: Micros) -> float:
        """The local time of day at this instant, in hours from 0 to 24."""
        local = to_datetime(at).astimezone(self.zone)
        return local.hour + local.minute / 60 + local.second / 3600

    def midnight(self, at: Micros) -> Micros:
        """The local midnight at or before this instant."""
        local = to_datetime(at).astimezone(self.zone)
        since = timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)
        return at - since // timedelta(microseconds=1) - local.microsecond


def generator(seed: int, *names: str) -> np.random.Generator:
    """A random generator of its own for this name: other devices do not change what it draws."""
    return np.random.default_rng([seed, *(crc32(name.encode()) for name in names)])


def every(span: Span, period: Micros, rng: np.random.Generator) -> Iterator[Micros]:
    """Instants `period` apart from a random phase on, each up to 3 % of it late."""
    at = span.start + int(rng.integers(period))
    while at < span.end:
        yield _whole(at + int(rng.integers(max(1, period * 3 // 100))))
        at += period


def busy(
    span: Span, per_hour: float, shares: tuple[float, ...], rng: np.random.Generator
) -> Iterator[Micros]:
    """Poisson instants: `per_hour` at the busiest, thinned by the share of each local hour."""
    at = span.start
    while True:
        at += max(MILLISECOND, int(rng.exponential(HOUR / per_hour)))
        if at >= span.end:
            return
        if rng.random() < shares[int(span.hour(at))]:
            yield _whole(at)


def minutes(rng: np.random.Generator, low: float, high: float) -> Micros:
    """A span between these numbers of minutes."""
    return _whole(int(rng.uniform(low, high) * MINUTE))


def _whole(at: Micros) -> Micros:
    return at // MILLISECOND * MILLISECOND
