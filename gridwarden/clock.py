"""The one place that reads the wall clock. Everybody else is handed a `Clock`."""

import time
from dataclasses import dataclass

from devices.instant import Micros, to_micros
from gridwarden.settings import Settings


class WallClock:
    """Real time."""

    def now(self) -> Micros:
        """The wall clock, microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """Time that runs `speed` times as fast as the wall clock, from `origin` at `real_origin` on.

    Both origins are microseconds since the Unix epoch. The same three numbers give the same time
    in every process and after every restart. Before `real_origin` it stands still at `origin`.
    """

    origin: Micros
    real_origin: Micros
    speed: float

    def now(self) -> Micros:
        """The scaled time, microseconds since the Unix epoch, UTC."""
        elapsed = max(0, WallClock().now() - self.real_origin)
        return self.origin + round(elapsed * self.speed)

    def real(self, moment: Micros) -> Micros:
        """The wall clock's time when this clock shows `moment`; both µs since epoch, UTC."""
        return self.real_origin + round((moment - self.origin) / self.speed)


def clock_of(settings: Settings) -> WallClock | ScaledClock:
    """The clock that these settings ask for."""
    if settings.clock_origin is None:
        return WallClock()
    real = settings.clock_real_origin
    real_origin = to_micros(real) if real else WallClock().now()
    return ScaledClock(to_micros(settings.clock_origin), real_origin, settings.clock_speed)
