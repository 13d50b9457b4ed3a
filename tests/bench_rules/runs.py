"""The plain loop of several in a row: a count for each subject, and what ends it."""

from collections.abc import Iterable

from devices.instant import FOREVER, NEVER, Micros
from rules.model import InARow
from rules.plan import RulePlan
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Row, Track, again


class _Run:
    """So many in a row so far, of one subject."""

    __slots__ = ("count", "first", "last", "latest", "since")

    def __init__(self) -> None:
        self.count = 0
        self.first = self.latest = self.last = NEVER
        self.since: Micros | None = None


class RunTrack(Track):
    """Several in a row. Of one instant what resets comes last, so rows wait for its end."""

    whole = True

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, InARow)
        self._condition = condition
        self._when = self.closure(condition.when)
        self._reset = self.closure(condition.reset)
        self._runs: dict[Key, _Run] = {}
        self._judged: dict[int, Micros] = {}
        self._instant: Micros = NEVER
        self._waiting: list[tuple[bool, int, Row, Micros]] = []

    def read(self, row: Row) -> None:
        device, time = row.device, row.time
        key = self.subject.get(device)
        if key is None or key in self.away:
            return
        if self._waiting and time != self._instant:
            self._flush()
        if time <= self._judged.get(device, NEVER):
            return
        further = row.metric != self.own.metric
        if any(one[2].metric == row.metric and one[1] == device for one in self._waiting):
            return
        self._instant = time
        run = self._runs.get(key)
        silent_at = FOREVER
        if run is not None and run.since is not None:
            silent_at = min(self.silent_at(one) for one in self.devices_of(key))
        self._waiting.append((further, device, row, silent_at))

    def take_changed(self) -> Iterable[Key]:
        self._flush()
        return ()

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        if len(waiting) > 1:
            waiting.sort(key=lambda one: one[:2])
        for further, device, row, silent_at in waiting:
            self._take(row, self.subject[device], silent_at, main=not further)
            self._judged[device] = row.time

    def _take(self, row: Row, key: Key, silent_at: Micros, *, main: bool) -> None:
        resets = self._resets(row, main=main)
        run = self._runs.get(key)
        if not resets and not (main and self._when(row.value, row.device)):
            return
        counts = not resets and self.is_active(row.time)
        if not (resets or counts):
            return
        if run is None:
            run = self._runs[key] = _Run()
        run.last = time = max(row.time, run.last)
        self._expire(key, run, time, silent_at)
        if resets:
            self._clear(key, run, time, Cause.CONDITION_ENDED)
            run.count = 0
        else:
            self._count(key, run, time)

    def _count(self, key: Key, run: _Run, time: Micros) -> None:
        run.count, run.latest = run.count + 1, time
        if run.count == 1:
            run.first = time
        if run.count >= self._condition.count and run.since is None:
            run.since = run.first
            devices, number = self.devices_of(key), float(self._condition.count)
            why, span = Cause.COUNT_REACHED, (run.first, time)
            self.say(Change.FIRED, why, key, span, value=number, devices=devices)
            self.watch(devices)

    def _resets(self, row: Row, *, main: bool) -> bool:
        condition = self._condition
        if condition.reset_metric:
            return not main and bool(self._reset(row.value, row.device))
        if condition.reset is not None:
            return bool(self._reset(row.value, row.device))
        return self._when(row.value, row.device) is False

    def _clear(self, key: Key, run: _Run, at: Micros, cause: Cause) -> None:
        if run.since is not None:
            devices = self.devices_of(key)
            span = (run.since, at)
            self.say(Change.CLEARED, cause, key, span, value=None, devices=devices)
            run.since, run.count = None, 0
            self.unwatch(devices)

    def _expire(self, key: Key, run: _Run, time: Micros, silent_at: Micros) -> None:
        if self._condition.clear_after and run.since is not None:
            end = run.latest + self._condition.clear_after
            if end < time and silent_at >= end:
                self._clear(key, run, end, Cause.COUNT_FELL)

    def tick(self, key: Key, now: Micros) -> Micros:
        run = self._runs.get(key)
        if run is None or run.since is None or not self._condition.clear_after:
            return FOREVER
        devices = self.devices_of(key)
        silent_at = min(self.silent_at(one) for one in devices)
        end = run.latest + self._condition.clear_after
        if silent_at < end:
            return FOREVER
        if end >= now - self.lag(devices):
            return again(end + 1, now)
        self._clear(key, run, end, Cause.COUNT_FELL)
        return FOREVER
