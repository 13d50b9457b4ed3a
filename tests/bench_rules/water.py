"""What the water meters of the made-up city have counted, worked out for any moment at once.

Every home has one of PROFILES days: in the waking hours water runs in some passes, a few litres
each time. Some have every other two days a tap that runs day and night, and in others nobody is
there every other two days. Amounts are whole 1/1024 m³, about a litre, so that sums of them are
exact in whatever order they are taken.
"""

import numpy as np

from devices.reading import F64, I64
from devices.simulator.chance import draw

PROFILES = 16
A_DAY = 288
"""Passes."""
WAKING = (72, 276)
"""The passes of a day, from its begin, in which people use water."""
RUNNING = 0.3
"""In so many of these water runs."""
MOST = 8
DROP = 2.0**-10
"""m³."""
LEAK = 8
"""So many drops in each pass."""
BEGUN = 1_000.0
"""What each meter showed before, m³."""


def _days() -> I64:
    """What was used up to the begin of each pass of a day, and at its end; drops."""
    keys = np.arange(1, PROFILES + 1).astype(np.uint64)[:, None]
    passes = np.arange(A_DAY)
    runs = (draw(keys, "runs", passes) < RUNNING) & (passes >= WAKING[0]) & (passes < WAKING[1])
    drops = np.where(runs, 1 + (draw(keys, "drops", passes) * MOST).astype(np.int64), 0)
    days: I64 = np.concatenate([np.zeros((PROFILES, 1), np.int64), drops.cumsum(axis=1)], axis=1)
    return days


_DAYS = _days()


def counted(number: I64, passes: I64, per_mille: tuple[float, float]) -> F64:
    """What the meters of these devices show after these passes, m³.

    per_mille: so many of a thousand homes have such a tap, and in so many is nobody.
    """
    home = number.astype(np.uint64)
    away = draw(home, "away") * 1_000 < per_mille[1]
    leaking = draw(home, "leaking") * 1_000 < per_mille[0]
    days, since = passes // A_DAY, passes % A_DAY + 1
    there = days % 4 >= 2
    lived = np.where(away, days // 4 * 2 + np.maximum(days % 4 - 2, 0), days)
    profile = (draw(home, "profile") * PROFILES).astype(np.int64)
    today = np.where(~away | there, _DAYS[profile, since], 0)
    drops = lived * _DAYS[profile, -1] + today
    spell = 2 * A_DAY
    ran = (passes + 1) // (2 * spell) * spell + np.minimum((passes + 1) % (2 * spell), spell)
    volume: F64 = BEGUN + (drops + np.where(leaking, ran * LEAK, 0)) * DROP
    return volume
