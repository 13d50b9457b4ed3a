"""How far a number lies from what it usually is at this hour: a seasonal baseline.

Usual is the median of the last values of the same season (hour of the day, or of the week), spread
the median of their distances from it (MAD), scaled by 1.4826 to that of a normal distribution
(Rousseeuw and Croux 1993); where it is 0, their mean distance scaled by 1.2533 (Iglewicz and
Hoaglin 1993). Both withstand single odd values, so these are kept like any other. With fewer than
`least` values nothing is said.
"""

from datetime import tzinfo
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.instant import DAY, MINUTE, Micros, to_datetime
from devices.reading import F64, I64
from rules.measured import BaselineMemory
from rules.model import Baseline, Season

OF_MAD = 1.4826
OF_MEAN_DISTANCE = 1.2533


def season_of(condition: Baseline, begins: I64, zone: tzinfo) -> I64:
    """Which season, from 0 on, each pane that begins at one of these instants (µs, UTC) is in."""
    different, which = np.unique(begins, return_inverse=True)
    seasons = [_season(condition, begin, zone) for begin in different.tolist()]
    found: I64 = np.array(seasons, np.int64)[which]
    return found


def _season(condition: Baseline, begin: Micros, zone: tzinfo) -> int:
    local = to_datetime(begin).astimezone(zone)
    of_day = (local.hour * 60 + local.minute) * MINUTE // condition.step
    weekday = local.weekday() if condition.season is Season.WEEK else 0
    return weekday * (DAY // condition.step) + of_day


def deviations(
    condition: Baseline, memory: BaselineMemory, slots: I64, seasons: I64, numbers: F64
) -> F64:
    """How many spreads each number (k,) lies from what is usual for its slot and season.

    NaN where too little is known, or where all known were equal and this one is not.
    """
    known: npt.NDArray[np.float64] = memory.history[slots, seasons].astype(np.float64)
    deviation = np.full(len(slots), np.nan)
    rows = np.flatnonzero((~np.isnan(known)).sum(axis=1) >= condition.least)
    if len(rows):
        told = numbers[rows].astype(np.float32).astype(np.float64)
        deviation[rows] = _distance(known[rows], told, condition.spread)
    return deviation


def _distance(known: npt.NDArray[Any], number: F64, least_spread: float) -> F64:
    usual = np.nanmedian(known, axis=1)
    distances = np.abs(known - usual[:, None])
    spread = OF_MAD * np.nanmedian(distances, axis=1)
    spread = np.where(spread > 0, spread, OF_MEAN_DISTANCE * np.nanmean(distances, axis=1))
    spread = np.maximum(spread, least_spread)
    distance = np.abs(number - usual)
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = np.where(spread > 0, distance / spread, np.nan)
    return np.where(distance == 0, 0.0, measured)


def keep(memory: BaselineMemory, slots: I64, steps: I64, seasons: I64, numbers: F64) -> None:
    """Put each number behind those of its slot and season, the oldest falls out.

    Unknown ones are left out, and those of steps that were kept before.
    """
    new = np.flatnonzero(~np.isnan(numbers) & (steps > memory.kept[slots]))
    slots, seasons = slots[new], seasons[new]
    known = memory.history[slots, seasons]
    known[:, :-1] = known[:, 1:]
    known[:, -1] = numbers[new]
    memory.history[slots, seasons] = known
    memory.kept[slots] = steps[new]
