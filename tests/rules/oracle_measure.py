"""Measures over a window, as a plain loop: every step of every subject, from lists of readings."""

from collections import defaultdict
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from devices.instant import HOUR, NEVER, Micros
from devices.metric import BY_ID, MetricKind
from rules.model import Baseline, Measure, MeasureInWindow
from rules.plan import RulePlan
from rules.transition import Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track
from tests.rules.oracle_spans import Point, Span


class Kept(NamedTuple):
    """A reading. start: the end of the first step in whose window it counts."""

    start: Micros
    time: Micros
    device: int
    value: float
    token: int


class StepTrack(Track):
    """What is judged at the end of every step: notes when each device was silent."""

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        self.gaps: dict[int, list[tuple[Micros, Micros]]] = defaultdict(list)

    def returned(self, device: int, time: Micros) -> None:
        if time > (until := self.silent_at(device)):
            self.gaps[device].append((until, time))

    def silent(self, subject: Subject, end: Micros) -> bool:
        """Whether no device of the subject was there at this moment."""
        return all(
            end > self.silent_at(d) or any(until < end < time for until, time in self.gaps[d])
            for d in self.devices[subject]
        )

    def lag(self, subject: Subject) -> Micros:
        return max(self.stream.lag[d] for d in self.devices[subject])


class MeasureTrack(StepTrack):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, MeasureInWindow | Baseline)
        self.condition = condition = own.rule.condition
        self.step = condition.step
        self.counter = BY_ID[own.metric].kind is MetricKind.COUNTER
        self.patience = max(1, condition.within // self.step // 4) * self.step
        first = -(-(now + condition.within) // self.step) * self.step
        self.first, self.next = first, dict.fromkeys(own.subjects, first)
        self.over: dict[Subject, Micros] = dict.fromkeys(own.subjects, NEVER)
        self.kept: dict[Subject, list[Kept]] = defaultdict(list)
        self.spans = {s: Span(self, s, condition.judging) for s in own.subjects}
        (self.name,) = condition.names

    def thought(self, subject: Subject, heard: Micros) -> Micros:
        """Up to when everything was thought to be known when something was heard."""
        return heard - min(self.lag(subject), self.patience)

    def judge(self, row: Row) -> None:
        subject = self.subject.get(row.device)
        if subject is None or subject in self.away or not self.holds(self.condition.where, row):
            return
        kept = self.kept[subject]
        if any((k.time, k.device) == (row.time, row.device) for k in kept):
            return
        grows = self.counter and self.condition.measure is not Measure.DISTINCT
        if grows and any(k.device == row.device and k.time > row.time for k in kept):
            return
        settled = self.thought(subject, row.heard)
        start = max((row.time // self.step + 1) * self.step, -(-settled // self.step) * self.step)
        if grows:
            start = max([start, *(k.start for k in kept if k.device == row.device)])
        leaves = (row.time // self.step) * self.step + self.condition.within
        if (row.time // self.step + 1) * self.step < start <= leaves and self.first <= leaves:
            self.over[subject] = max(self.over[subject], settled)
        kept.append(Kept(start, row.time, row.device, row.value, row.token))

    def slowed(self, device: int, heard: Micros) -> None:
        subject = self.subject.get(device)
        if subject is not None:
            self.over[subject] = max(self.over[subject], self.thought(subject, heard))

    def tick(self, now: Micros) -> None:
        for subject in self.own.subjects:
            if subject in self.away:
                continue
            lag = self.lag(subject)
            until = max(now - min(lag, self.patience), self.over[subject])
            while (end := self.next[subject]) < until:
                silent = self.silent(subject, end)
                value = None if silent else self.number(subject, end)
                numbers = None if value is None else {self.name: value, "value": value}
                self.spans[subject].take([Point(end, numbers, value)])
                self.next[subject] = end + self.step
            self.spans[subject].until(now - lag)
        self.gaps.clear()

    def number(self, subject: Subject, end: Micros) -> float | None:
        begin = end - self.condition.within
        heard = [k for k in self.kept[subject] if k.start <= end and k.time < end]
        if self.counter and self.condition.measure is not Measure.DISTINCT:
            heard = self._growth(heard)
        return self._measured([k for k in heard if k.time >= begin], end)

    def _growth(self, heard: list[Kept]) -> list[Kept]:
        grown = []
        for device in {k.device for k in heard}:
            mine = sorted((k for k in heard if k.device == device), key=lambda k: k.time)
            for before, after in pairwise(mine):
                if after.time - before.time <= self.condition.reach:
                    grew = after.value - before.value
                    grown.append(after._replace(value=after.value if grew < 0 else grew))
        return grown

    def _measured(self, kept: list[Kept], end: Micros) -> float | None:
        values = [k.value for k in kept]
        if self.condition.measure is Measure.DISTINCT:
            named = {k.token for k in kept if k.token}
            return float(len(named if BY_ID[self.own.metric].occurs else set(values)))
        if self.condition.measure is Measure.SUM:
            return float(sum(values))
        return self._known(values, kept, end) if values else None

    def _known(self, values: list[float], kept: list[Kept], end: Micros) -> float | None:
        match self.condition.measure:
            case Measure.MEAN:
                return sum(values) / len(values)
            case Measure.MIN:
                return min(values)
            case Measure.MAX:
                return max(values)
            case Measure.ACTIVE_SHARE:
                active = {k.time // self.step for k in kept if k.value > 0}
                return len(active) * self.step / self.condition.within
        if self.counter:
            rate = self.condition.measure is Measure.RATE
            return sum(values) / (self.condition.within / HOUR if rate else 1)
        return _slope([(k.time - end) / HOUR for k in kept], values)


def _slope(times: list[float], values: list[float]) -> float | None:
    if max(times) - min(times) < 1e-6:
        return None
    return float(np.polyfit(times, values, 1)[0])


TRACKS[MeasureInWindow] = MeasureTrack
