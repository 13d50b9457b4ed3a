"""NEWS2, the National Early Warning Score: a number from seven vital parameters.

Royal College of Physicians, "National Early Warning Score (NEWS) 2", London 2017, chart 1. The
chart is written in whole numbers, a temperature in tenths of a degree: values are rounded so.
"""

from typing import NamedTuple

import numpy as np

from devices.reading import F64, I64, Bool

RESPIRATION, SPO2, OXYGEN, SYSTOLIC, PULSE, CONSCIOUSNESS, TEMPERATURE = range(7)
"""Columns of the parameters, in the order of the chart."""

PARAMETERS = (
    "breathing_rate",
    "spo2",
    "oxygen_flow",
    "systolic",
    "pulse",
    "consciousness",
    "body_temperature",
)
"""The metrics that give them, by column."""

MOST = 20
"""No total is higher."""

MOST_OF_ONE = 3
"""No score of one parameter is higher."""


class Bands(NamedTuple):
    """Scores of ranges: `scores[i]` up to and with `upto[i]`, the last one beyond."""

    upto: tuple[int, ...]
    scores: tuple[int, ...]

    def of(self, numbers: I64) -> I64:
        """The score of each of these, (k,)."""
        places = np.searchsorted(np.array(self.upto), numbers, side="left")
        return np.array(self.scores)[places]


_WHOLE = 392
"""Beyond this less one no score changes any more."""

_COLUMNS = (
    Bands((8, 11, 20, 24), (3, 1, 0, 2, 3)),
    Bands((91, 93, 95), (3, 2, 1, 0)),
    Bands((0,), (0, 2)),
    Bands((90, 100, 110, 219), (3, 2, 1, 0, 3)),
    Bands((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3)),
    Bands((0,), (0, 3)),
    Bands((350, 360, 380, 390), (3, 1, 0, 1, 2)),
)
_SCALE_2_ON_AIR = Bands((83, 85, 87), (3, 2, 1, 0))
_SCALE_2_ON_OXYGEN = Bands((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))

_ALL = (*_COLUMNS, _SCALE_2_ON_AIR, _SCALE_2_ON_OXYGEN)
_POINTS = np.concatenate([bands.of(np.arange(_WHOLE)) for bands in _ALL])
_BEGINS = np.arange(len(_COLUMNS)) * _WHOLE
_TENTHS = np.where(np.arange(len(_COLUMNS)) == TEMPERATURE, 10.0, 1.0)
_WORDED = np.isin(np.arange(len(_COLUMNS)), (OXYGEN, CONSCIOUSNESS))


def _bands() -> I64:
    """As `_POINTS`, of the columns only, but alike where a number has the same on every scale."""
    bands = _POINTS[: len(_COLUMNS) * _WHOLE].reshape(-1, _WHOLE).copy()
    air, oxygen = _POINTS[len(_COLUMNS) * _WHOLE :].reshape(-1, _WHOLE)
    bands[SPO2] += (air + oxygen * (MOST_OF_ONE + 1)) * (MOST_OF_ONE + 1)
    return bands.ravel()


_BANDS = _bands()


def bands_of(numbers: F64, column: I64) -> I64:
    """What each number of a parameter counts as, (k,).

    Of two that count as the same no total and no single score tells, whatever the others are and by
    either scale. column: of the parameters. Of oxygen and consciousness 0 counts, or more, or else.
    """
    whole = np.rint(numbers * _TENTHS.take(column))
    place = np.fmax(np.fmin(whole, _WHOLE - 1), 0).astype(np.int64)
    bands = _BANDS.take(place + column * _WHOLE)
    return np.where(_WORDED.take(column), (numbers > 0) + (numbers != 0) * 2, bands)


def news2(numbers: F64, scale_2: Bool) -> tuple[I64, I64]:
    """The total and the largest single score, (k,) each.

    numbers: (k, 7), by the columns above, in the units of their metrics; oxygen above 0 L/min is
    supplemental, consciousness above 0 is not alert · scale_2: (k,), for whom SpO2 is judged by
    scale 2, as is prescribed in hypercapnic respiratory failure.
    """
    whole = np.rint(numbers * _TENTHS)
    oxygen = numbers[:, OXYGEN] > 0
    whole[:, OXYGEN] = oxygen
    whole[:, CONSCIOUSNESS] = numbers[:, CONSCIOUSNESS] > 0
    place = np.fmax(np.fmin(whole, _WHOLE - 1), 0).astype(np.int64)
    place += _BEGINS
    if np.count_nonzero(scale_2):
        place[:, SPO2] += np.where(scale_2, (len(_COLUMNS) - SPO2 + oxygen) * _WHOLE, 0)
    scores = _POINTS.take(place)
    return scores.sum(axis=1), scores.max(axis=1, initial=0)
