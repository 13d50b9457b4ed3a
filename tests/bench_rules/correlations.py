"""The plain loop of correlations: when each device last said so, and when it took that back."""

from collections.abc import Iterable

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID
from rules.model import Correlation
from rules.plan import RulePlan
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Track, again


class CorrelationTrack(Track):
    """So many different devices of a subject within a time."""

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, Correlation)
        self._when = self.closure(condition.when)
        self._many, self._within = condition.devices, condition.within
        self._momentary = BY_ID[own.metric].occurs
        self._judged: dict[int, Micros] = {}
        self._last: dict[int, Micros] = {}
        self._ended: dict[int, Micros] = {}
        self._since: dict[Key, Micros] = {}
        self._spent: dict[Key, Micros] = {}

    def judge(self, device: int, time: Micros, value: float) -> None:
        key = self.subject.get(device)
        if key is None or key in self.away or time <= self._judged.get(device, NEVER):
            return
        self._judged[device] = time
        true = self._when(value, device)
        if true and self.is_active(time):
            self._expire(key, time)
            self._last[device] = time
            self._ended[device] = time if self._momentary else FOREVER
            if key not in self._since:
                self._look(key)
        elif true is False and device in self._last:
            self._ended[device] = min(self._ended[device], time)

    def _look(self, key: Key) -> None:
        spent, devices = self._spent.get(key, NEVER), self.devices_of(key)
        fresh = {one: self._last[one] for one in devices if self._last.get(one, NEVER) > spent}
        times = sorted(fresh.values())
        for first, last in zip(times, times[self._many - 1 :], strict=False):
            if last - first <= self._within:
                ids = [device for device, time in fresh.items() if first <= time <= last]
                self._since[key] = first
                self._tell(Change.FIRED, Cause.COUNT_REACHED, key, last, ids)
                self.watch(devices)
                return

    def _tell(self, change: Change, cause: Cause, key: Key, at: Micros, ids: Iterable[int]) -> None:
        ids = list(ids)
        span = (self._since[key], at)
        self.say(change, cause, key, span, value=float(len(ids)), devices=ids)

    def _expire(self, key: Key, time: Micros) -> Micros:
        """End what is over by then; returns when to look again."""
        since = self._since.get(key)
        if since is None:
            return FOREVER
        devices = self.devices_of(key)
        took = [device for device in devices if self._last.get(device, NEVER) >= since]
        newest = max(self._last[device] for device in took)
        end = max(newest + self._within, *(self._ended[device] for device in took))
        if any(self.silent_at(device) < end for device in took):
            return FOREVER
        if end >= time:
            return end + 1
        self._tell(Change.CLEARED, Cause.CONDITION_ENDED, key, end, took)
        self._spent[key] = newest
        del self._since[key]
        self.unwatch(devices)
        return FOREVER

    def tick(self, key: Key, now: Micros) -> Micros:
        moment = self._expire(key, now - self.lag(self.devices_of(key)))
        return FOREVER if moment >= FOREVER else again(moment, now)
