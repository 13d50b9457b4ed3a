"""How long to wait before trying again. Pure: the chance is an argument."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubling waits from `first` to `longest` real seconds, each spread over its upper half."""

    first: float = 0.25
    longest: float = 30.0

    def delay(self, failures: int, chance: float) -> float:
        """Seconds to wait after this many failures in a row (≥ 1); 0 ≤ chance < 1 spreads them."""
        whole = min(self.longest, self.first * 2.0 ** min(failures - 1, 60))
        return whole * (0.5 + 0.5 * chance)
