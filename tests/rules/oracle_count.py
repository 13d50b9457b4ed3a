"""Counts in a window as a plain loop over readings."""

from devices.instant import Micros
from rules.model import CountInWindow
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track


class WindowTrack(Track):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, CountInWindow)
        self.condition = own.rule.condition
        self.kept: dict[Subject, list[tuple[Micros, int]]] = {s: [] for s in own.subjects}
        self.since: dict[Subject, Micros] = {}
        self.spent: dict[Subject, Micros] = {}

    def judge(self, row: Row) -> None:
        subject = self.subject.get(row.device)
        if subject is None or subject in self.away or not self.holds(self.condition.when, row):
            return
        if (row.time, row.device) in self.kept[subject] or not self.is_active(row.time):
            return
        self._expire(subject, row.time)
        if subject in self.spent and row.time <= self.spent[subject]:
            return
        kept, count = self.kept[subject], self.condition.count
        full = len(kept) == count
        if full and row.time <= kept[0][0]:
            return
        self.kept[subject] = kept = sorted([*kept, (row.time, row.device)])[-count:]
        self._fire(subject, kept)

    def _fire(self, subject: Subject, kept: list[tuple[Micros, int]]) -> None:
        first, last = kept[0][0], kept[-1][0]
        new = subject not in self.spent or first > self.spent[subject]
        reached = len(kept) == self.condition.count and last - first <= self.condition.within
        if new and reached and subject not in self.since:
            self.since[subject] = first
            count = float(self.condition.count)
            ids = {d for _, d in kept}
            self.say(
                Change.FIRED, Cause.COUNT_REACHED, subject, (first, last), value=count, devices=ids
            )

    def _expire(self, subject: Subject, time: Micros) -> None:
        if subject not in self.since:
            return
        kept = self.kept[subject]
        end = kept[0][0] + self.condition.within
        if end < time and all(self.silent_at(d) >= end for d in self.devices[subject]):
            self.spent[subject] = kept[-1][0]
            left = float(sum(1 for t, _ in kept if t > kept[0][0]))
            since, ids = self.since.pop(subject), {d for _, d in kept}
            self.say(
                Change.CLEARED, Cause.COUNT_FELL, subject, (since, end), value=left, devices=ids
            )

    def tick(self, now: Micros) -> None:
        for subject in self.own.subjects:
            if subject not in self.away:
                lag = max(self.stream.lag[d] for d in self.devices[subject])
                self._expire(subject, now - lag)


TRACKS[CountInWindow] = WindowTrack
