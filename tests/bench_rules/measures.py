"""The plain loop of measures over a window: totals by pane, judged at the end of every step."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping

from devices.instant import HOUR, NEVER, Micros
from devices.metric import BY_ID, MetricKind
from rules.model import Measure, MeasureInWindow
from rules.panes import Panes
from rules.plan import RulePlan
from tests.bench_rules.ears import Ears
from tests.bench_rules.spans import Judge, Span
from tests.bench_rules.track import Key, Row, Track


class _Pane:
    """The numbers of one step: how many, their total, the smallest and the greatest."""

    __slots__ = ("count", "high", "low", "total")

    def __init__(self, number: float) -> None:
        self.count, self.total, self.low, self.high = 1, number, number, number

    def add(self, number: float) -> None:
        """One more."""
        self.count += 1
        self.total += number
        self.low, self.high = min(self.low, number), max(self.high, number)


class _Window:
    """One subject's. step: the next to be judged · waiting: first step, pane and number of each."""

    __slots__ = ("panes", "span", "step", "waiting")

    def __init__(self, span: Span, step: int) -> None:
        self.span, self.step = span, step
        self.panes: dict[int, _Pane] = {}
        self.waiting: list[tuple[int, int, float]] = []

    def fill(self) -> None:
        """Put what counts at the next step into its pane."""
        step, later = self.step, []
        for one in self.waiting:
            start, pane, number = one
            if start > step:
                later.append(one)
            elif pane in self.panes:
                self.panes[pane].add(number)
            else:
                self.panes[pane] = _Pane(number)
        self.waiting = later

    def forget(self, oldest: int) -> None:
        """Panes that have left the window."""
        old = [pane for pane in self.panes if pane < oldest]
        for pane in old:
            del self.panes[pane]


_Number = Callable[[Iterable[_Pane], float], float]
"""What these panes come to; with a measure's own constant."""

_NUMBERS: Mapping[Measure, _Number] = {
    Measure.SUM: lambda panes, _: sum(pane.total for pane in panes),
    Measure.MEAN: lambda panes, _: sum(p.total for p in panes) / sum(p.count for p in panes),
    Measure.MIN: lambda panes, _: min(pane.low for pane in panes),
    Measure.MAX: lambda panes, _: max(pane.high for pane in panes),
    Measure.RISE: lambda panes, _: sum(pane.total for pane in panes),
    Measure.RATE: lambda panes, hours: sum(pane.total for pane in panes) / hours,
    Measure.ACTIVE_SHARE: lambda panes, count: sum(pane.high > 0 for pane in panes) / count,
}


class MeasureTrack(Track):
    """A measure; slopes, different values and baselines apart."""

    whole = True

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, MeasureInWindow)
        self._where, self._reach = self.closure(condition.where), condition.reach
        self._panes = Panes(condition.step, condition.within // condition.step)
        self._step, self._patience = condition.step, self._panes.patience
        grows = {Measure.RISE, Measure.RATE, Measure.ACTIVE_SHARE}
        counter = BY_ID[own.metric].kind is MetricKind.COUNTER
        self._grows = counter and condition.measure in grows
        self._number, self._sums = _NUMBERS[condition.measure], condition.measure is Measure.SUM
        share = condition.measure is Measure.ACTIVE_SHARE
        self._of = self._panes.count if share else condition.within / HOUR
        self._first = -(-(now + condition.within) // self._step)
        judge = Judge(self, condition.judging)
        self._windows = {
            key: _Window(Span(judge, key), self._first) for key in self.slot if key not in self.away
        }
        self._next = self._first * self._step
        self._behind: set[Key] = set()
        self._timed: set[Key] = set()
        self._times = judge.lasting > 0 or judge.keep > 0
        self._last: dict[int, tuple[Micros, float]] = {}
        self._gaps: dict[int, list[tuple[Micros, Micros]]] = defaultdict(list)

    def from_the_start(self) -> Iterable[Key]:
        self.watch(self.subject)
        return ()

    def returned(self, device: int, time: Micros) -> None:
        if time > (until := self.silent_at(device)):
            self._gaps[device].append((until, time))

    def read(self, row: Row) -> None:
        key = self.subject.get(row.device)
        if key is None or key in self.away or not self._where(row.value, row.device):
            return
        number = self._growth(row) if self._grows else row.value
        if number is None:
            return
        step, pane = self._step, row.time // self._step
        settled = row.heard - min(self.lag(self.devices_of(key)), self._patience)
        start = max(pane + 1, -(-settled // step))
        if max(start, self._first) <= pane + self._panes.count:
            self._windows[key].waiting.append((start, pane, number))

    def _growth(self, row: Row) -> float | None:
        """By how much a counter grew since it was read last; None where that is not known."""
        time, number = row.time, row.value
        before, read = self._last.get(row.device, (NEVER, 0.0))
        if time <= before:
            return None
        self._last[row.device] = time, number
        if before < time - self._reach:
            return None
        return number - read if number >= read else number

    def clock(self, now: Micros) -> None:
        if self._next < now:
            looks: Iterable[Key] = self._windows
            self._next = ((now - 1) // self._step + 1) * self._step
        else:
            looks = self._behind
        self._behind = {key for key in looks if self._look(key, now)}
        for key in list(self._timed):
            self._windows[key].span.until(now - self.lag(self.devices_of(key)))
            self._note(key)
        self._gaps.clear()

    def _look(self, key: Key, now: Micros) -> bool:
        """Judge the steps of one subject up to now; returns whether it is waited for."""
        window, devices = self._windows[key], self.devices_of(key)
        last = (now - min(self.lag(devices), self._patience) - 1) // self._step
        while window.step <= last:
            self._judge(window, devices)
            self._note(key)
        return window.step * self._step < now

    def _note(self, key: Key) -> None:
        """Keep who has something to come."""
        if self._times:
            span = self._windows[key].span
            (self._timed.add if span.lively else self._timed.discard)(key)

    def _judge(self, window: _Window, devices: list[int]) -> None:
        step, end = window.step, window.step * self._step
        if window.waiting:
            window.fill()
        window.forget(step - self._panes.count)
        window.step = step + 1
        if all(self._silent(device, end) for device in devices):
            window.span.unknown(end)
        elif window.panes or self._sums:
            number = float(self._number(window.panes.values(), self._of))
            window.span.take(end, number, number)
        else:
            window.span.unknown(end)

    def _silent(self, device: int, end: Micros) -> bool:
        if end > self.silent_at(device):
            return True
        return any(until < end < time for until, time in self._gaps.get(device, ()))
