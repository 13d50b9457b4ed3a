"""How long a member code is refused after wrong passwords in a row. Pure: `now` is an argument."""

from collections import OrderedDict
from dataclasses import dataclass, field

from devices.instant import MINUTE, SECOND, Micros

FREE_FAILURES = 5
"""So many wrong passwords in a row cost nothing but a retry (our choice)."""
FIRST_PAUSE: Micros = 30 * SECOND
LONGEST_PAUSE: Micros = 15 * MINUTE
FORGET_AFTER: Micros = 60 * MINUTE
MOST_CODES = 10_000


@dataclass(frozen=True, slots=True)
class Failures:
    """Wrong passwords in a row and the last one's instant, µs since epoch, UTC."""

    count: int
    last: Micros


def pause_after(count: int) -> Micros:
    """How long sign-in is refused after this many failures in a row, µs; doubles up to 15 min."""
    if count < FREE_FAILURES:
        return 0
    return min(FIRST_PAUSE << min(count - FREE_FAILURES, 10), LONGEST_PAUSE)


@dataclass(slots=True)
class Throttle:
    """Failures by member code, known or not; the codes longest without a failure are forgotten."""

    _failures: OrderedDict[str, Failures] = field(default_factory=OrderedDict)

    def attempt(self, code: str, now: Micros) -> Micros:
        """How much longer this code is refused, µs; 0: it may try, which counts as a failure.

        Until it has succeeded: guesses that are sent all at once must not all be looked at.
        """
        wait = self.wait(code, now)
        if not wait:
            self.failed(code, now)
        return wait

    def wait(self, code: str, now: Micros) -> Micros:
        """How much longer this code is refused, µs; never longer than its pause, should the clock
        be set back; 0: it may try.
        """
        failed = self._failures.get(code)
        if failed is None:
            return 0
        pause = pause_after(failed.count)
        return min(pause, max(0, failed.last + pause - now))

    def failed(self, code: str, now: Micros) -> None:
        """Counts one wrong password."""
        before = self._failures.pop(code, None)
        fresh = before is None or now - before.last > FORGET_AFTER
        count = 1 if fresh or before is None else before.count + 1
        self._failures[code] = Failures(count, now)
        while len(self._failures) > MOST_CODES:
            self._failures.popitem(last=False)

    def succeeded(self, code: str) -> None:
        """Forgets this code's failures."""
        self._failures.pop(code, None)
