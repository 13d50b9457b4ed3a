"""The plain loop of readings that belong together: which part each has, and how old is too old."""

import math
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

from devices.instant import NEVER, SECOND, Micros
from devices.metric import BY_NAME
from rules.model import Joined, Part, Succession
from rules.plan import RulePlan
from rules.sequence_memory import LATE
from rules.transition import Cause, Change
from tests.bench_rules.closures import Truths
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Row, Track

Name: TypeAlias = tuple[Key, int]
"""A subject, and whom its readings name; 0 where that does not matter."""


class Played(NamedTuple):
    """A reading with a part: 0 the earlier, 1 both, 2 the later. Their order is that of time."""

    time: Micros
    role: int
    device: int


class _Side:
    """One of the two parts. begins: only the reading counts with which it begins to hold."""

    __slots__ = ("begins", "holds", "judged", "metric")

    def __init__(self, part: Part, holds: Truths, *, begins: bool) -> None:
        metric = BY_NAME[part.metric]
        self.metric, self.holds = metric.id, holds
        self.begins = begins and not metric.momentary
        self.judged: dict[int, tuple[Micros, bool | None]] = {}

    def plays(self, row: Row) -> bool:
        """Whether the reading has this part."""
        if row.metric != self.metric:
            return False
        true = self.holds(row.value, row.device)
        if not self.begins:
            return bool(true)
        judged, before = self.judged.get(row.device, (NEVER, None))
        if row.time <= judged:
            return False
        self.judged[row.device] = row.time, true
        return bool(true) and before is False

    def forget(self, device: int) -> None:
        """The device was silent: how it was is not known."""
        if device in self.judged:
            self.judged[device] = self.judged[device][0], None


class JoinedTrack(Track):
    """What rules about two readings share. part: whose devices' silence matters."""

    whole = True
    part = -1

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, Joined)
        self.joins, self.within = condition, condition.within
        self.named = condition.same.named
        self.sides = [
            _Side(part, self.closure(part.where), begins=begins)
            for part, begins in zip(condition.parts, condition.begins, strict=True)
        ]
        self._newest: dict[Key, Micros] = {}
        self._coming: dict[Key, Micros] = {}
        devices = own.devices.tolist()
        reports = own.reports[:, self.part].tolist() if self.part >= 0 else [False] * len(devices)
        self.excusing = {one for one, says in zip(devices, reports, strict=True) if says}

    def from_the_start(self) -> Iterable[Key]:
        if self.part >= 0 or any(side.begins for side in self.sides):
            self.watch(self.subject)
        return ()

    def returned(self, device: int, time: Micros) -> None:
        at = self.silent_at(device)
        if time <= at:
            return
        for side in self.sides:
            side.forget(device)
        key = self.subject[device]
        if device in self.excusing and key not in self.away:
            self.silence_ended(key, at, time)

    def silence_ended(self, key: Key, at: Micros, time: Micros) -> None:
        """A device was silent for so long."""

    def read(self, row: Row) -> None:
        key = self.subject.get(row.device)
        if key is None or (self.named and not row.token):
            return
        first, then = self._parts(row)
        if not (first or then) or key in self.away:
            return
        role = 1 if first and then else 0 if first else 2
        self._coming[key] = max(row.time, self._coming.get(key, NEVER))
        name = key, row.token if self.named else 0
        self.play(name, Played(row.time, role, row.device), row.value)

    def _parts(self, row: Row) -> tuple[bool, bool]:
        """Whether the reading is the earlier, and whether the later; what raises, if active."""
        one, other = self.sides
        first, then = one.plays(row), other.plays(row)
        if self.rule.active is not None and (first or then) and not self.is_active(row.time):
            begins = self.joins.begins
            return first and not begins[0], then and not begins[1]
        return first, then

    def play(self, name: Name, played: Played, value: float) -> None:
        """A reading with a part."""
        raise NotImplementedError

    def floor(self, key: Key) -> Micros:
        """What is earlier is too old, by what had been heard before the batch."""
        return self._newest.get(key, NEVER) - self.within - LATE

    def take_changed(self) -> Iterable[Key]:
        """The batch is heard."""
        newest = self._newest
        for key, time in self._coming.items():
            newest[key] = max(time, newest.get(key, NEVER))
        self._coming.clear()
        return ()

    def excused_by(self, key: Key) -> list[int]:
        """The devices of the subject whose silence matters."""
        return [device for device in self.devices_of(key) if device in self.excusing]

    def fire(
        self,
        key: Key,
        cause: Cause,
        span: tuple[Micros, Micros],
        devices: list[int],
        value: float | None,
    ) -> None:
        """It is true; of what joins by a name, the alert is about the device."""
        about = devices[-1] if self.named else None
        ids = set(devices)
        self.say(Change.FIRED, cause, key, span, value=value, devices=ids, about=about)


class _Pair:
    """What was read of one name: all of it, and what has found its other part."""

    __slots__ = ("answered", "answers", "kept")

    def __init__(self) -> None:
        self.kept: list[Played] = []
        self.answered: set[Played] = set()
        self.answers: set[Played] = set()

    def forget(self, floor: Micros) -> None:
        """What is too old."""
        self.kept = [one for one in self.kept if one.time >= floor]
        self.answered = {one for one in self.answered if one.time >= floor}
        self.answers = {one for one in self.answers if one.time >= floor}


class SuccessionTrack(JoinedTrack):
    """A, then B within a time."""

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        assert isinstance(self.joins, Succession)
        self._condition = self.joins
        self._x, self._y = (self.attribute(name) for name in "xy")
        self._batch: list[tuple[Played, Name]] = []
        self._pairs: dict[Name, _Pair] = {}
        self._many = 1_000

    def attribute(self, name: str) -> dict[int, float]:
        """Where each device stands, m, if the rule asks."""
        column = self.ears.plan.attributes.get(name) if self._condition.speed else None
        return {} if column is None else {one: float(column[one]) for one in self.subject}

    def play(self, name: Name, played: Played, value: float) -> None:  # noqa: ARG002
        self._batch.append((played, name))

    def take_changed(self) -> Iterable[Key]:
        if self._batch:
            self._batch.sort()
            for played, name in self._batch:
                self._take(name, played)
            self._batch.clear()
            self._tidy()
        return super().take_changed()

    def _tidy(self) -> None:
        """Forget whom nothing was read of for long."""
        if len(self._pairs) > self._many:
            pairs, floor = self._pairs, self.floor
            kept = {n: pair for n, pair in pairs.items() if pair.kept[-1].time >= floor(n[0])}
            self._pairs, self._many = kept, max(1_000, 2 * len(kept))

    def _take(self, name: Name, played: Played) -> None:
        floor = self.floor(name[0])
        if played.time < floor:
            return
        pair = self._pairs.get(name)
        if pair is None:
            pair = self._pairs[name] = _Pair()
        elif pair.kept[0].time < floor:
            pair.forget(floor)
        if played not in pair.kept:
            self._as_then(name, pair, played)
            self._as_first(name, pair, played)
            pair.kept.append(played)

    def _as_then(self, name: Name, pair: _Pair, then: Played) -> None:
        answered = pair.answered
        found = [one for one in pair.kept if one not in answered and self._fit(one, then)]
        if found:
            first = max(found)
            told = self.named or not any(one.time == first.time for one in answered)
            answered.update(found)
            pair.answers.add(then)
            if told:
                self._fire(name, pair, first, then)

    def _as_first(self, name: Name, pair: _Pair, first: Played) -> None:
        thens = [then for then in pair.kept if self._fit(first, then)]
        if thens:
            pair.answered.add(first)
            if pair.answers.isdisjoint(thens):
                self._fire(name, pair, first, min(thens))

    def _fire(self, name: Name, pair: _Pair, first: Played, then: Played) -> None:
        pair.answers.add(then)
        span = (first.time, then.time)
        self.fire(name[0], Cause.OCCURRED, span, [first.device, then.device], 1.0)

    def _fit(self, first: Played, then: Played) -> bool:
        if first.role > 1 or then.role == 0 or first >= then:
            return False
        if then.time - first.time > self.within:
            return False
        if self._condition.elsewhere and first.device == then.device:
            return False
        return not self._condition.speed or self._too_fast(first, then)

    def _too_fast(self, first: Played, then: Played) -> bool:
        x = self._x[first.device] - self._x[then.device]
        y = self._y[first.device] - self._y[then.device]
        way = math.hypot(x, y)
        return (then.time - first.time) / SECOND < way / self._condition.speed
