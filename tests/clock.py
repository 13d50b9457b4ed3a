"""A clock that only a test moves."""

from devices.instant import Micros


class ManualClock:
    """Shows `start` (microseconds since the Unix epoch, UTC) until it is advanced."""

    def __init__(self, start: Micros = 1_763_692_800_000_000) -> None:
        self._now = start

    def now(self) -> Micros:
        """The instant shown, microseconds since the Unix epoch, UTC."""
        return self._now

    def advance(self, by: Micros) -> Micros:
        """Move on by `by` microseconds, not backwards (ValueError); the new instant."""
        if by < 0:
            raise ValueError(f"a clock cannot advance by {by} µs")
        self._now += by
        return self._now


class Steppable(ManualClock):
    """A clock that can be set, as an administrator sets a host's."""

    def step(self, by: Micros) -> None:
        """Show another time, `by` microseconds later or earlier."""
        self._now += by
