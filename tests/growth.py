"""How the memory of a process grows, from looks at it; for `tests.soak`."""

from dataclasses import dataclass

import numpy as np

QUIET_S = 60.0
"""A life of the service must last so long, s, for its memory to be judged, of which …"""
WARM_S = 20.0
"""… the first seconds do not count."""
GROWTH = 5.0
"""MB a minute that it may grow by, …"""
IDS = 65_535
REMEMBERED_MB = 0.001
"""… and so many MB for each message, until one of each packet id is remembered."""


@dataclass(frozen=True, slots=True)
class Growth:
    """MB a minute by which a life of the service grew, and by which it might."""

    slope: float
    allowed: float


def growth(life: list[tuple[float, float]], rate: float) -> Growth | None:
    """How a life at so many messages a second grew; None where it was too short to tell."""
    if len(life) < 2 or life[-1][0] - life[0][0] < QUIET_S:
        return None
    at, used = (np.array(column) for column in zip(*life, strict=True))
    full = IDS / rate
    remembers_all = at[-1] - at[0] >= full + QUIET_S
    warm = at - at[0] >= (max(WARM_S, full) if remembers_all else WARM_S)
    allowed = GROWTH + (0 if remembers_all else rate * 60 * REMEMBERED_MB)
    return Growth(round(float(np.polyfit(at[warm] / 60, used[warm], 1)[0]), 2), allowed)
