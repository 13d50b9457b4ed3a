"""NEWS2, the National Early Warning Score: a number from seven vital parameters.

Royal College of Physicians, "National Early Warning Score (NEWS) 2", London 2017, chart 1. The
chart is written in whole numbers, a temperature in tenths of a degree: values are rounded so.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from devices.reading import F64, Bool

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


class Bands(NamedTuple):
    """Scores of ranges: `scores[i]` up to and with `upto[i]`, the last one beyond."""

    upto: tuple[float, ...]
    scores: tuple[float, ...]

    def of(self, numbers: F64) -> F64:
        """The score of each of these, (k,)."""
        places = np.searchsorted(np.array(self.upto), numbers, side="left")
        return np.array(self.scores)[places]


_RESPIRATION = Bands((8, 11, 20, 24), (3, 1, 0, 2, 3))
_SCALE_1 = Bands((91, 93, 95), (3, 2, 1, 0))
_SCALE_2_ON_AIR = Bands((83, 85, 87), (3, 2, 1, 0))
_SCALE_2_ON_OXYGEN = Bands((83, 85, 87, 92, 94, 96), (3, 2, 1, 0, 1, 2, 3))
_SYSTOLIC = Bands((90, 100, 110, 219), (3, 2, 1, 0, 3))
_PULSE = Bands((40, 50, 90, 110, 130), (3, 1, 0, 1, 2, 3))
_TENTHS = Bands((350, 360, 380, 390), (3, 1, 0, 1, 2))
_ON_OXYGEN, _NOT_ALERT = 2.0, 3.0


def news2(numbers: F64, scale_2: Bool) -> tuple[F64, F64]:
    """The total and the largest single score, (k,) each.

    numbers: (k, 7), by the columns above, in the units of their metrics; oxygen above 0 L/min is
    supplemental, consciousness above 0 is not alert · scale_2: (k,), for whom SpO2 is judged by
    scale 2, as is prescribed in hypercapnic respiratory failure.
    """
    scores = _scores(numbers, scale_2)
    return scores.sum(axis=1), scores.max(axis=1, initial=0.0)


def _scores(numbers: F64, scale_2: Bool) -> npt.NDArray[np.float64]:
    whole = np.rint(numbers)
    oxygen = numbers[:, OXYGEN] > 0
    scores = np.empty_like(numbers)
    scores[:, RESPIRATION] = _RESPIRATION.of(whole[:, RESPIRATION])
    scores[:, SPO2] = _spo2(whole[:, SPO2], oxygen, scale_2)
    scores[:, OXYGEN] = oxygen * _ON_OXYGEN
    scores[:, SYSTOLIC] = _SYSTOLIC.of(whole[:, SYSTOLIC])
    scores[:, PULSE] = _PULSE.of(whole[:, PULSE])
    scores[:, CONSCIOUSNESS] = (numbers[:, CONSCIOUSNESS] > 0) * _NOT_ALERT
    scores[:, TEMPERATURE] = _TENTHS.of(np.rint(numbers[:, TEMPERATURE] * 10))
    return scores


def _spo2(percent: F64, oxygen: Bool, scale_2: Bool) -> F64:
    by_2 = np.where(oxygen, _SCALE_2_ON_OXYGEN.of(percent), _SCALE_2_ON_AIR.of(percent))
    return np.where(scale_2, by_2, _SCALE_1.of(percent))
