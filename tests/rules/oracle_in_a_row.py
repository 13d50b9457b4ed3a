"""Several in a row as a plain loop over readings."""

from dataclasses import dataclass

from devices.instant import NEVER, Micros
from rules.model import InARow
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track


@dataclass
class Run:
    count: int = 0
    first: Micros = NEVER
    latest: Micros = NEVER
    last: Micros = NEVER
    since: Micros | None = None


class InARowTrack(Track):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, InARow)
        self.condition = own.rule.condition
        self.runs = {subject: Run() for subject in own.subjects}
        self.judged: dict[int, Micros] = {}
        self.instant: Micros = NEVER
        self.waiting: list[tuple[Row, Micros]] = []

    def judge(self, row: Row) -> None:
        """Rows of one instant come together: those that reset are kept to the end of it.

        A device says one thing of a metric at one instant. Beside each: from when the first
        device was silent, by what was heard before.
        """
        if row.time != self.instant:
            self._flush()
        self.instant = row.time
        subject = self.subject.get(row.device)
        if subject is None or subject in self.away:
            return
        again = any((r.device, r.metric) == (row.device, row.metric) for r, _ in self.waiting)
        if row.time > self.judged.get(row.device, NEVER) and not again:
            self.waiting.append((row, self._silent_at(subject)))

    def _silent_at(self, subject: Subject) -> Micros:
        return min(self.silent_at(d) for d in self.devices[subject])

    def _flush(self) -> None:
        main = self.own.metric
        for row, silent_at in sorted(
            self.waiting, key=lambda each: (each[0].metric != main, each[0].device)
        ):
            self._take(row, self.runs[self.subject[row.device]], silent_at)
            self.judged[row.device] = row.time
        self.waiting = []

    def _take(self, row: Row, run: Run, silent_at: Micros) -> None:
        main = row.metric == self.own.metric
        resets = self._resets(row, main=main)
        counts = main and not resets and self.holds(self.condition.when, row)
        counts = counts and self.is_active(row.time)
        if not resets and not counts:
            return
        run.last = time = max(row.time, run.last)
        subject = self.subject[row.device]
        self._expire(subject, run, time, silent_at)
        if resets:
            self._clear(subject, run, time, Cause.CONDITION_ENDED)
            run.count = 0
            return
        run.count, run.latest = run.count + 1, time
        if run.count == 1:
            run.first = time
        if run.count >= self.condition.count and run.since is None:
            run.since = run.first
            span, value = (run.first, time), float(self.condition.count)
            self.say(Change.FIRED, Cause.COUNT_REACHED, subject, span, value=value)

    def _resets(self, row: Row, *, main: bool) -> bool:
        condition = self.condition
        if condition.reset_metric:
            return not main and self.holds(condition.reset, row)
        if condition.reset is not None:
            return self.holds(condition.reset, row)
        return self.fails(condition.when, row)

    def _clear(self, subject: Subject, run: Run, at: Micros, cause: Cause) -> None:
        if run.since is not None:
            self.say(Change.CLEARED, cause, subject, (run.since, at), value=None)
            run.since, run.count = None, 0

    def _expire(self, subject: Subject, run: Run, time: Micros, silent_at: Micros) -> None:
        if not self.condition.clear_after or run.since is None:
            return
        end = run.latest + self.condition.clear_after
        if end < time and silent_at >= end:
            self._clear(subject, run, end, Cause.COUNT_FELL)

    def tick(self, now: Micros) -> None:
        self._flush()
        for subject, run in self.runs.items():
            if subject not in self.away:
                lag = max(self.stream.lag[d] for d in self.devices[subject])
                self._expire(subject, run, now - lag, self._silent_at(subject))


TRACKS[InARow] = InARowTrack
