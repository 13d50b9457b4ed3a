"""The plain loop of counts: the last so many readings of each subject, by time."""

from bisect import insort
from collections.abc import Iterable

from devices.instant import FOREVER, Micros
from rules.model import CountInWindow
from rules.plan import RulePlan
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Track


class CountTrack(Track):
    """So many readings within a time."""

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, CountInWindow)
        self._when, self._count = self.closure(condition.when), condition.count
        self._within = condition.within
        self._kept: dict[Key, list[tuple[Micros, int]]] = {}
        self._since: dict[Key, Micros] = {}
        self._spent: dict[Key, Micros] = {}

    def judge(self, device: int, time: Micros, value: float) -> None:
        key = self.subject.get(device)
        if key is None or key in self.away or not self._when(value, device):
            return
        kept = self._kept.setdefault(key, [])
        if (time, device) in kept or not self.is_active(time):
            return
        if key in self._since:
            self._expire(key, time)
        if key in self._spent and time <= self._spent[key]:
            return
        if len(kept) == self._count:
            if time <= kept[0][0]:
                return
            del kept[0]
        insort(kept, (time, device))
        if len(kept) == self._count and key not in self._since:
            self._fire(key, kept)

    def _fire(self, key: Key, kept: list[tuple[Micros, int]]) -> None:
        first, last = kept[0][0], kept[-1][0]
        new = key not in self._spent or first > self._spent[key]
        if new and last - first <= self._within:
            self._since[key] = first
            ids = {device for _, device in kept}
            number = float(self._count)
            why, span = Cause.COUNT_REACHED, (first, last)
            self.say(Change.FIRED, why, key, span, value=number, devices=ids)

    def _expire(self, key: Key, time: Micros) -> None:
        kept = self._kept[key]
        first = kept[0][0]
        end = first + self._within
        silent_at = self.ears.silent_at
        if end < time and all(
            silent_at(device, beats=self.beats) >= end for device in self.devices_of(key)
        ):
            self._spent[key] = kept[-1][0]
            left = float(sum(1 for at, _ in kept if at > first))
            span, ids = (self._since.pop(key), end), {device for _, device in kept}
            self.say(Change.CLEARED, Cause.COUNT_FELL, key, span, value=left, devices=ids)

    def take_changed(self) -> Iterable[Key]:
        return list(self._since)

    def tick(self, key: Key, now: Micros) -> Micros:
        self._expire(key, now - self.lag(self.devices_of(key)))
        return FOREVER
