"""Baselines as a plain loop: lists of what each hour was before."""

from collections import defaultdict
from statistics import mean, median

import numpy as np

from devices.instant import DAY, Micros
from rules.model import Baseline, Season
from rules.plan import RulePlan
from rules.transition import Subject
from tests.rules.oracle_core import TRACKS, Stream
from tests.rules.oracle_measure import MeasureTrack


class BaselineTrack(MeasureTrack):
    """In UTC."""

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, Baseline)
        self.baseline = own.rule.condition
        self.history: dict[tuple[Subject, int], list[float]] = defaultdict(list)

    def number(self, subject: Subject, end: Micros) -> float | None:
        number = super().number(subject, end)
        if number is None:
            return None
        number = float(np.float32(number))
        cycle = DAY if self.baseline.season is Season.DAY else 7 * DAY
        history = self.history[subject, (end - self.step) % cycle]
        known = history[-self.baseline.values :]
        history.append(number)
        return self._deviation(known, number) if len(known) >= self.baseline.least else None

    def _deviation(self, known: list[float], number: float) -> float | None:
        usual = median(known)
        distances = [abs(k - usual) for k in known]
        spread = 1.4826 * median(distances) or 1.2533 * mean(distances)
        spread = max(spread, self.baseline.spread)
        if number == usual:
            return 0.0
        return abs(number - usual) / spread if spread else None


TRACKS[Baseline] = BaselineTrack
