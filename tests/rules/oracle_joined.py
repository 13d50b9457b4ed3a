"""Rules about two readings that belong together, as plain loops; see `tests.rules.oracle`."""

from collections import defaultdict
from typing import NamedTuple

import numpy as np

from devices.instant import FOREVER, NEVER, SECOND, Micros
from devices.metric import BY_NAME
from rules.model import Joined, Missing, SubjectKind, Succession, Without
from rules.plan import RulePlan
from rules.sequence_memory import LATE
from rules.transition import Cause, Change, Subject, Transition
from tests.rules.oracle_core import TRACKS, Row, Stream, Track

Key = tuple[Subject, int]


class Played(NamedTuple):
    """A reading with a part: 0 the earlier, 1 both, 2 the later. Their order is that of time."""

    time: Micros
    role: int
    device: int


class JoinedTrack(Track):
    condition: Joined

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, Joined)
        self.condition = own.rule.condition
        self.state: dict[tuple[int, int], tuple[Micros, bool | None]] = {}
        self.newest: dict[Subject, Micros] = {}
        self.batch: list[tuple[Subject, Played, Row]] = []

    part = -1
    """The part of which the silence of a device leaves unknown whether it came."""

    def silences(self, device: int) -> bool:
        """Whether it matters that this device was silent."""
        return self.part >= 0 and self.reports(device, self.part)

    def excusing(self, subject: Subject) -> list[int]:
        return [device for device in self.devices[subject] if self.silences(device)]

    def reports(self, device: int, part: int) -> bool:
        place = self.own.devices.tolist().index(device)
        return bool(self.own.reports[place, part])

    def returned(self, device: int, time: Micros) -> None:
        subject, at = self.subject.get(device), self.silent_at(device)
        if subject is None or time <= at:
            return
        for part in (0, 1):
            judged, _ = self.state.get((device, part), (NEVER, None))
            self.state[device, part] = (judged, None)
        if subject not in self.away and self.silences(device):
            self.silence_ended(subject, at, time)

    def silence_ended(self, subject: Subject, at: Micros, time: Micros) -> None:
        """A device was silent for so long."""

    def judge(self, row: Row) -> None:
        subject = self.subject.get(row.device)
        plays = [subject is not None and self._plays(part, row) for part in (0, 1)]
        active, begins = self.is_active(row.time), self.condition.begins
        plays = [p and (active or not b) for p, b in zip(plays, begins, strict=True)]
        if subject is None or subject in self.away or not any(plays):
            return
        role = 1 if all(plays) else plays.index(True) * 2
        self.batch.append((subject, Played(row.time, role, row.device), row))

    def _plays(self, part: int, row: Row) -> bool:
        """Whether the reading has this part; what lasts must begin where that is asked."""
        asked = self.condition.parts[part]
        metric = BY_NAME[asked.metric]
        if metric.id != row.metric or (self.condition.same.named and not row.token):
            return False
        holds = self.holds(asked.where, row)
        if metric.momentary or not self.condition.begins[part]:
            return holds
        judged, before = self.state.get((row.device, part), (NEVER, None))
        if row.time <= judged:
            return False
        fails = asked.where is not None and self.fails(asked.where, row)
        self.state[row.device, part] = (row.time, True if holds else False if fails else None)
        return holds and before is False

    def key(self, subject: Subject, row: Row) -> Key:
        return subject, row.token if self.condition.same.named else 0

    def floor(self, subject: Subject) -> Micros:
        """What is earlier is too old, by what had been heard before the batch."""
        newest = self.newest.get(subject)
        return NEVER if newest is None else newest - self.condition.within - LATE

    def heard_batch(self) -> None:
        for subject, played, _ in self.batch:
            self.newest[subject] = max(played.time, self.newest.get(subject, NEVER))
        self.batch = []

    def fire(
        self,
        subject: Subject,
        span: tuple[Micros, Micros],
        devices: list[int],
        value: float | None = None,
    ) -> None:
        """Of what joins by a name, the alert is about the device."""
        about, cause = subject, Cause.OCCURRED
        if self.condition.same.named:
            about = Subject(SubjectKind.DEVICE, devices[-1])
        if isinstance(self.condition, Missing):
            cause = Cause.UNANSWERED if self.condition.same.named else Cause.NOT_FOLLOWED
        ids = tuple(sorted(set(devices)))
        self.said.append(
            Transition(self.rule, about, Change.FIRED, cause, *span, ids, value, self.rule.severity)
        )


class SuccessionTrack(JoinedTrack):
    condition: Succession

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        self.kept: dict[Key, set[Played]] = defaultdict(set)
        self.answered: set[tuple[Key, Played]] = set()
        self.answers: set[tuple[Key, Played]] = set()

    def tick(self, now: Micros) -> None:  # noqa: ARG002
        for subject, played, row in sorted(self.batch, key=lambda heard: heard[1]):
            key = self.key(subject, row)
            known = {p for p in self.kept[key] if p.time >= self.floor(subject)}
            if played.time >= self.floor(subject) and played not in known:
                self._as_then(key, played, known)
                self._as_first(key, played, known)
                self.kept[key].add(played)
        self.heard_batch()

    def _as_then(self, key: Key, then: Played, known: set[Played]) -> None:
        open_ = [f for f in known if self._fit(f, then) and (key, f) not in self.answered]
        if open_:
            since = max(open_).time
            others = [f.time for k, f in self.answered if k == key]
            self.answered |= {(key, first) for first in open_}
            self.answers.add((key, then))
            if self.condition.same.named or since not in others:
                self._tell(key, max(open_), then)

    def _as_first(self, key: Key, first: Played, known: set[Played]) -> None:
        thens = [then for then in known if self._fit(first, then)]
        if thens:
            self.answered.add((key, first))
            if not any((key, then) in self.answers for then in thens):
                self._tell(key, first, min(thens))

    def _tell(self, key: Key, first: Played, then: Played) -> None:
        self.answers.add((key, then))
        self.fire(key[0], (first.time, then.time), [first.device, then.device], 1.0)

    def _fit(self, first: Played, then: Played) -> bool:
        apart = self.condition.elsewhere and first.device == then.device
        takes_part = first.role < 2 and then.role > 0 and first < then
        in_time = then.time - first.time <= self.condition.within
        return takes_part and in_time and not apart and self._too_fast(first, then)

    def _too_fast(self, first: Played, then: Played) -> bool:
        if not self.condition.speed:
            return True
        x, y = (self.stream.plan.attributes[name] for name in "xy")
        way = np.hypot(x[first.device] - x[then.device], y[first.device] - y[then.device])
        return bool((then.time - first.time) / SECOND < way / self.condition.speed)


class Waited:
    """For what is waited."""

    def __init__(self) -> None:
        self.begun: tuple[Micros, int] | None = None
        self.asked = self.answered = NEVER


class MissingTrack(JoinedTrack):
    condition: Missing
    part = 1

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        self.waits: dict[Key, Waited] = defaultdict(Waited)
        self.since: dict[Subject, Micros] = {}
        self.unsure: dict[Subject, Micros] = {}

    def silence_ended(self, subject: Subject, at: Micros, time: Micros) -> None:
        for (about, _), wait in self.waits.items():
            if about == subject:
                self._advance(subject, wait, time)
                if wait.begun and wait.begun[0] < time and at < wait.begun[0] + self.within:
                    wait.begun = None
        self.unsure[subject] = max(time, self.unsure.get(subject, NEVER))

    @property
    def within(self) -> Micros:
        return self.condition.within

    def judge(self, row: Row) -> None:
        before = len(self.batch)
        super().judge(row)
        for subject, played, heard in self.batch[before:]:
            wait = self.waits[self.key(subject, heard)]
            if played.role > 0 and row.time > wait.answered:
                self._advance(subject, wait, row.time)
                self._follow(subject, wait, row)
            if played.role < 2 and row.time > max(wait.asked, wait.answered):
                self._begin(subject, wait, row)

    def _follow(self, subject: Subject, wait: Waited, row: Row) -> None:
        if wait.begun and wait.begun[0] <= row.time:
            wait.begun = None
        wait.answered = row.time
        since = self.since.get(subject, FOREVER)
        if since <= row.time:
            span = (since, max(row.time, since + self.within))
            del self.since[subject]
            change, cause = Change.CLEARED, Cause.HEARD
            self.say(change, cause, subject, span, value=None, devices=[row.device])

    def _begin(self, subject: Subject, wait: Waited, row: Row) -> None:
        if row.time < max(self.floor(subject), self.unsure.get(subject, NEVER)):
            return
        self._advance(subject, wait, row.time)
        wait.asked = row.time
        if subject not in self.since:
            wait.begun = wait.begun or (row.time, row.device)

    def _advance(self, subject: Subject, wait: Waited, time: Micros) -> None:
        if wait.begun is None or wait.begun[0] + self.within >= time:
            return
        since, device = wait.begun
        due = since + self.within
        if all(self.silent_at(d) >= due for d in self.excusing(subject)):
            wait.begun = None
            if not self.condition.same.named:
                self.since[subject] = since
            self.fire(subject, (since, due), [device])
        elif due + LATE < time:
            wait.begun = None

    def tick(self, now: Micros) -> None:
        for (subject, _), wait in self.waits.items():
            if subject not in self.away:
                lag = max(self.stream.lag[device] for device in self.excusing(subject))
                self._advance(subject, wait, now - lag)
        self.heard_batch()


class WithoutTrack(JoinedTrack):
    condition: Without
    part = 0

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        self.unsure = dict.fromkeys(own.subjects, now)
        self.excuses: dict[Key, set[Played]] = defaultdict(set)
        self.asked: dict[Key, dict[Played, Row]] = defaultdict(dict)
        self.done: set[tuple[Key, Played]] = set()

    def silence_ended(self, subject: Subject, at: Micros, time: Micros) -> None:
        for (about, token), asked in self.asked.items():
            for played in asked if about == subject else ():
                if at < played.time < time:
                    self.done.add(((about, token), played))
        self.unsure[subject] = max(time, self.unsure[subject])

    def judge(self, row: Row) -> None:
        before = len(self.batch)
        super().judge(row)
        within = self.condition.within
        for subject, played, heard in self.batch[before:]:
            key = self.key(subject, heard)
            if played.role < 2 and played.time >= self.floor(subject):
                self.excuses[key].add(played)
            in_time = played.time >= self.floor(subject) + within
            if played.role > 0 and in_time and played.time - within >= self.unsure[subject]:
                self.asked[key][played] = row

    def tick(self, now: Micros) -> None:
        within = self.condition.within
        for key, asked in self.asked.items():
            subject = key[0]
            lag = max(self.stream.lag[device] for device in self.excusing(subject))
            for played, row in sorted(asked.items()):
                before = (e for e in self.excuses[key] if e < played)
                if (key, played) in self.done or any(e.time >= row.time - within for e in before):
                    continue
                if subject in self.away or row.time >= now - lag:
                    continue
                self.done.add((key, played))
                if all(self.silent_at(d) >= row.time for d in self.excusing(subject)):
                    self.fire(subject, (row.time, row.time), [row.device], row.value)
        self.heard_batch()


TRACKS.update({Succession: SuccessionTrack, Missing: MissingTrack, Without: WithoutTrack})
