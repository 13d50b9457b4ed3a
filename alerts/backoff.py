"""When to try again after a channel could not deliver. Pure."""

from devices.instant import MINUTE, SECOND, Micros

FIRST: Micros = SECOND
LONGEST: Micros = 5 * MINUTE
"""Our choice: an alert must not wait longer than this once its channel has come back."""


def next_attempt(attempts: int, now: Micros, jitter: float) -> Micros:
    """The instant of the next attempt after `attempts` (≥ 1) of them; µs since epoch, UTC.

    The wait doubles from 1 s to at most 5 min; jitter in [0, 1) takes away up to half of it, so
    that what failed together does not return together.
    """
    doublings = min(max(attempts, 1) - 1, 20)
    wait = min(FIRST << doublings, LONGEST)
    return now + round(wait * (1 - jitter / 2))
