"""The plain loop of what had to come before: the readings that excuse, and those that ask."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable

from devices.instant import FOREVER, Micros
from rules.plan import RulePlan
from rules.transition import Cause
from tests.bench_rules.ears import Ears
from tests.bench_rules.joined import JoinedTrack, Name, Played
from tests.bench_rules.track import Key, again

_MANY = 32
"""So many readings that excuse are kept before those that are too old are looked for."""


class WithoutTrack(JoinedTrack):
    """B without an A before it."""

    part = 0

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        self._unsure = dict.fromkeys(self.slot, now)
        self._excuses: dict[Name, list[Played]] = {}
        self._asked: dict[Name, dict[Played, float]] = {}
        self._asking: dict[Key, set[Name]] = defaultdict(set)
        self._done: dict[Name, set[Played]] = {}

    def silence_ended(self, key: Key, at: Micros, time: Micros) -> None:
        for name in self._asking.get(key, ()):
            asked = self._asked[name]
            for played in [one for one in asked if at < one.time < time]:
                del asked[played]
                self._done.setdefault(name, set()).add(played)
        self._unsure[key] = max(time, self._unsure[key])

    def play(self, name: Name, played: Played, value: float) -> None:
        floor = self.floor(name[0])
        if played.role < 2 and played.time >= floor:
            self._excuse(name, played, floor)
        begin = played.time - self.within
        if played.role == 0 or begin < floor or begin < self._unsure[name[0]]:
            return
        if played not in self._done.get(name, ()):
            self._asked.setdefault(name, {}).setdefault(played, value)
            self._asking[name[0]].add(name)

    def _excuse(self, name: Name, played: Played, floor: Micros) -> None:
        excuses = self._excuses.get(name)
        if excuses is None:
            self._excuses[name] = [played]
        elif played > excuses[-1]:
            excuses.append(played)
            if len(excuses) > _MANY and name not in self._asked:
                del excuses[: bisect_left(excuses, (floor,))]
        elif played not in excuses:
            insort(excuses, played)

    def _excused(self, name: Name, played: Played) -> bool:
        excuses = self._excuses.get(name, [])
        place = bisect_left(excuses, played)
        return place > 0 and excuses[place - 1].time >= played.time - self.within

    def tick(self, key: Key, now: Micros) -> Micros:
        names = self._asking.get(key)
        if not names:
            return FOREVER
        devices = self.excused_by(key)
        until, next_ = now - self.lag(devices), FOREVER
        for name in list(names):
            next_ = min(next_, self._settle(name, until, devices))
            if not self._asked[name]:
                del self._asked[name]
                names.discard(name)
        return FOREVER if next_ == FOREVER else again(next_, now)

    def _settle(self, name: Name, until: Micros, devices: Iterable[int]) -> Micros:
        """Decide what is asked of before this; returns when the next is to be decided."""
        asked, next_ = self._asked[name], FOREVER
        for played in sorted(asked):
            if self._excused(name, played):
                del asked[played]
            elif played.time >= until:
                next_ = min(next_, played.time + 1)
            else:
                value = asked.pop(played)
                floor = self.floor(name[0])
                done = {one for one in self._done.get(name, ()) if one.time >= floor}
                self._done[name] = done | {played}
                if all(self.silent_at(device) >= played.time for device in devices):
                    span = (played.time, played.time)
                    self.fire(name[0], Cause.OCCURRED, span, [played.device], value)
        return next_
