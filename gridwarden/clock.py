"""The one place that reads the wall clock. Everybody else is handed a `Clock`."""

import logging
import threading
import time
from dataclasses import dataclass

from devices.instant import DAY, SECOND, Clock, Micros, to_micros
from gridwarden.settings import Settings

log = logging.getLogger(__name__)

BELIEVED = DAY
"""A clock that is set back by more, µs, was wrong beyond what is to be smoothed."""


class WallClock:
    """Real time."""

    def now(self) -> Micros:
        """The wall clock, microseconds since the Unix epoch, UTC."""
        return time.time_ns() // 1_000


class ForwardClock:
    """Another clock, but that it never goes back; for any number of threads.

    When that one is set back, this one goes on at half its pace until the two agree: readings that
    are dated by their arrival would else be older than what is known, and raise no alert. It
    follows at once where it is set back by more than `BELIEVED`, and whenever it is set ahead.
    """

    def __init__(self, host: Clock, shown: Micros = 0) -> None:
        """shown: up to where time went before, e.g. in an earlier process (µs, UTC)."""
        self._host = host
        self._lock = threading.Lock()
        self._last = max(shown, host.now())
        self._since, self._from = self._last, self._last

    def now(self) -> Micros:
        """Microseconds since the Unix epoch, UTC; never less than before."""
        with self._lock:
            host = self._host.now()
            if host < self._last:
                self._set_back(host)
            self._last = host
            return self._shown(host)

    def _set_back(self, host: Micros) -> None:
        shown, by = self._shown(self._last), self._last - host
        self._since, self._from = host, host if shown - host > BELIEVED else shown
        if by >= SECOND:
            log.warning(
                "The host's clock was set back; ours goes on at half the pace until they agree.",
                extra={"action": "clock.set_back", "by_s": by / SECOND},
            )

    def _shown(self, host: Micros) -> Micros:
        return max(host, self._from + (host - self._since) // 2)


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
