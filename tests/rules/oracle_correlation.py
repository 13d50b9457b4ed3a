"""Correlation as a plain loop over readings."""

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID
from rules.model import Correlation
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track


class CorrelationTrack(Track):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, Correlation)
        self.condition = own.rule.condition
        self.momentary = BY_ID[own.metric].occurs
        self.judged: dict[int, Micros] = {}
        self.last: dict[int, Micros] = {}
        self.ended: dict[int, Micros] = {}
        self.since: dict[Subject, Micros] = {}
        self.spent: dict[Subject, Micros] = {}

    def judge(self, row: Row) -> None:
        subject = self.subject.get(row.device)
        if subject is None or subject in self.away:
            return
        if row.time <= self.judged.get(row.device, NEVER):
            return
        self.judged[row.device] = row.time
        if self.holds(self.condition.when, row) and self.is_active(row.time):
            self._expire(subject, row.time)
            self.last[row.device] = row.time
            self.ended[row.device] = row.time if self.momentary else FOREVER
            self._look(subject)
        elif self.fails(self.condition.when, row) and row.device in self.last:
            self.ended[row.device] = min(self.ended[row.device], row.time)

    def _look(self, subject: Subject) -> None:
        if subject in self.since:
            return
        spent, within = self.spent.get(subject, NEVER), self.condition.within
        fresh = {d: self.last[d] for d in self.devices[subject] if self.last.get(d, NEVER) > spent}
        times = sorted(fresh.values())
        for first, last in zip(times, times[self.condition.devices - 1 :], strict=False):
            if last - first <= within:
                ids = [d for d, time in fresh.items() if first <= time <= last]
                self.since[subject] = first
                self._tell(Change.FIRED, Cause.COUNT_REACHED, subject, last, ids)
                return

    def _tell(
        self, change: Change, cause: Cause, subject: Subject, at: Micros, ids: list[int]
    ) -> None:
        span = (self.since[subject], at)
        self.say(change, cause, subject, span, value=float(len(ids)), devices=ids)

    def _expire(self, subject: Subject, time: Micros) -> None:
        if subject not in self.since:
            return
        since = self.since[subject]
        took = [d for d in self.devices[subject] if self.last.get(d, NEVER) >= since]
        newest = max(self.last[d] for d in took)
        end = max(newest + self.condition.within, *(self.ended[d] for d in took))
        if end < time and all(self.silent_at(d) >= end for d in took):
            self._tell(Change.CLEARED, Cause.CONDITION_ENDED, subject, end, took)
            self.spent[subject] = newest
            del self.since[subject]

    def tick(self, now: Micros) -> None:
        for subject in self.own.subjects:
            if subject not in self.away:
                lag = max(self.stream.lag[d] for d in self.devices[subject])
                self._expire(subject, now - lag)


TRACKS[Correlation] = CorrelationTrack
