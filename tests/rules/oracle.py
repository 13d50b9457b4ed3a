"""The same rules once more, as a plain loop over single readings with dictionaries.

Slow and obvious; what `rules.evaluate` must agree with. Readings of a batch are taken by time; all
of one instant are judged by what had been heard before that instant. A message from the future is
moved back to its arrival; timers run in the time of the device. What gateways say in a batch is
known before what others say in it is judged.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import groupby
from typing import NamedTuple

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_ID, BY_NAME
from devices.reading import Reading
from rules.expression import Expression
from rules.model import Absence, CountInWindow, NoData, Rule, Severity, SubjectKind, Threshold
from rules.plan import Plan, RulePlan
from rules.transition import Cause, Change, Subject, Transition

HEARTBEAT = BY_NAME["heartbeat"].id


class Row(NamedTuple):
    """A reading. time: its own, moved back if it was in the future · heard: by the server."""

    time: Micros
    heard: Micros
    arrival: Micros
    device: int
    metric: int
    value: float
    token: int = 0
    issue: int = 0
    said: Micros = 0

    @property
    def offline(self) -> bool:
        return self.metric == HEARTBEAT and self.value == 0


def placed(readings: Sequence[Reading], now: Micros) -> list[Row]:
    """The readings by time; those of one device and arrival are one message."""
    ahead: dict[tuple[int, Micros], Micros] = defaultdict(int)
    for r in readings:
        key = (r.device, r.arrival)
        ahead[key] = max(ahead[key], r.time - r.arrival)
    rows = []
    for r in sorted(readings, key=lambda r: r.time):
        time = r.time - ahead[r.device, r.arrival]
        heard = max(time, min(r.arrival, now))
        row = Row(time, heard, r.arrival, r.device, r.metric, r.value, *r[5:])
        rows.append(row._replace(said=r.time))
    return sorted(rows, key=lambda row: row.time)


class Ear:
    """What was heard of one device. heard: any word; alive: any but 'offline'."""

    def __init__(self, known: Micros) -> None:
        self.heard = self.alive = known
        self.ever = self.spoke = False
        self.left = self.cut = FOREVER

    def hear(self, row: Row) -> None:
        if row.offline:
            if not self.spoke or row.time >= self.alive:
                self.left = min(self.left, row.time)
        elif not self.spoke or row.time > self.alive:
            self.alive, self.spoke = row.time, True
            if self.left < self.alive:
                self.left = FOREVER


class Oracle:
    """Judges batches as `evaluate` does; keeps its own state."""

    def __init__(self, plan: Plan, now: Micros) -> None:
        self.plan = plan
        known = range(len(plan.silent_after))
        self.ears = {device: Ear(now) for device in known}
        self.lag: dict[int, Micros] = defaultdict(int)
        self.back: dict[int, Micros] = {}
        self.ended: dict[int, list[Micros]] = defaultdict(list)
        self.gone: dict[int, Micros] = {}
        self.tracks = [track_of(self, own, now) for own in plan.rules]
        self.quiet = Quiet(plan)

    def limit(self, device: int) -> Micros:
        return int(self.plan.silent_after[device])

    def gateway(self, device: int) -> int | None:
        gateway = int(self.plan.gateway[device])
        return gateway if gateway >= 0 else None

    def said(self, device: int, *, beats: bool) -> Micros:
        ear = self.ears[device]
        return ear.heard if beats else ear.alive

    def known(self, device: int, *, beats: bool) -> bool:
        ear = self.ears[device]
        return ear.ever if beats else ear.spoke

    def own_at(self, device: int, *, beats: bool = False) -> Micros:
        """From when it is silent by itself."""
        until = self.said(device, beats=beats) + self.limit(device)
        return until if beats else min(until, self.ears[device].left)

    def gone_at(self, device: int) -> Micros:
        """From when its gateway is gone, in the device's time."""
        gateway = self.gateway(device)
        return FOREVER if gateway is None else self.gone[gateway] - self.lag[device]

    def lost_at(self, device: int, *, beats: bool) -> Micros:
        """From when it is lost with its gateway."""
        gateway, said = self.gateway(device), self.said(device, beats=beats)
        starts = [start - self.lag[device] for start in self.ended[gateway or -1]]
        moments = [self.ears[device].cut, self.gone_at(device), *starts]
        return min([moment for moment in moments if moment >= said], default=FOREVER)

    def silent_at(self, device: int, *, beats: bool) -> Micros:
        return min(self.own_at(device, beats=beats), self.lost_at(device, beats=beats))

    def missed_at(self, device: int, *, beats: bool) -> Micros:
        """From when it is silent by its own fault."""
        own = self.own_at(device, beats=beats)
        if own <= self.lost_at(device, beats=beats):
            return own
        gateway = self.gateway(device)
        back = None if gateway is None else self.back.get(gateway)
        if back is None or back - self.lag[device] < self.said(device, beats=beats):
            return FOREVER
        again = back - self.lag[device] + self.limit(device)
        return again if again <= self.gone_at(device) else FOREVER

    def evaluate(self, readings: Sequence[Reading], now: Micros) -> list[Transition]:
        """Fold these readings, then let timers fire up to `now`; sorted by `at`, stably."""
        rows = placed(readings, now)
        lag = self._lags(rows)
        rows = [self._in_its_time(row, lag) for row in rows]
        rows.sort(key=lambda row: (row.time, row.offline))
        self._gateways(rows)
        for time, group in groupby(rows, lambda r: r.time):
            self._instant(time, list(group))
        self._absences(rows)
        self._cut()
        self.lag = lag
        for gateway in self.gone:
            self.gone[gateway] = self.own_at(gateway) + self.lag[gateway]
        for track in self.tracks:
            track.tick(now)
        said = self.quiet.told([track.take_said() for track in self.tracks], now)
        return sorted(said, key=lambda t: t.at)

    def _lags(self, rows: Sequence[Row]) -> dict[int, Micros]:
        """How far behind each device is, by the last that it said itself."""
        lag = self.lag.copy()
        told = sorted(rows, key=lambda row: (row.time, row.said, row.arrival))
        for row in {row.device: row for row in told if not row.offline}.values():
            ear = self.ears[row.device]
            if not ear.spoke or row.time > ear.alive:
                longest = min(lag[row.device], row.arrival - row.time)
                lag[row.device] = max(longest, row.heard - row.time)
                if lag[row.device] > self.lag[row.device]:
                    for track in self.tracks:
                        track.slowed(row.device, row.heard)
        return lag

    def _in_its_time(self, row: Row, lag: Mapping[int, Micros]) -> Row:
        """'offline' is dated by the broker."""
        if not row.offline:
            return row
        return row._replace(time=min(row.time, row.heard - lag.get(row.device, 0)))

    def _gateways(self, rows: Sequence[Row]) -> None:
        """When each gateway went and came back in this batch, and from when it is gone after it."""
        self.returned: dict[int, Micros] = {}
        for gateway in {g for d in self.ears if (g := self.gateway(d)) is not None}:
            ear = copy(self.ears[gateway])
            for row in (r for r in rows if r.device == gateway):
                silent_at = min(ear.alive + self.limit(gateway), ear.left)
                if not row.offline and row.time > silent_at:
                    self.ended[gateway].append(silent_at + self.lag[gateway])
                    self.returned[gateway] = max(row.heard, self.returned.get(gateway, row.heard))
                ear.hear(row)
            until = min(ear.alive + self.limit(gateway), ear.left)
            self.gone[gateway] = until + self.lag[gateway]

    def _cut(self) -> None:
        """Who was not heard since its gateway went is lost until it is, gateway back or not."""
        for device, ear in self.ears.items():
            gateway = self.gateway(device)
            for start in self.ended[gateway] if gateway else ():
                gone = start - self.lag[device]
                if gone >= ear.alive:
                    ear.cut = min(gone, ear.cut if ear.cut >= ear.alive else FOREVER)
        self.ended.clear()
        for gateway, back in self.returned.items():
            self.back[gateway] = max(back, self.back.get(gateway, back))

    def _absences(self, rows: Sequence[Row]) -> None:
        """Absence goes by when a reading was heard, not by its own time."""
        for row in sorted(rows, key=lambda r: (r.heard, r.device, r.time)):
            for track in self.tracks:
                if row.metric == track.own.metric and isinstance(track, AbsenceTrack):
                    track.judge(row)

    def _instant(self, time: Micros, rows: list[Row]) -> None:
        devices = sorted({r.device for r in rows})
        for device in devices:
            ear = self.ears[device]
            alive = any(not r.offline for r in rows if r.device == device)
            for track in self.tracks:
                said = self.said(device, beats=track.beats)
                known = self.known(device, beats=track.beats)
                if (alive or track.beats) and (not known or time > said):
                    track.returned(device, time)
        for row in sorted(rows, key=lambda r: r.device):
            for track in self.tracks:
                if row.metric in track.own.metrics and not isinstance(track, AbsenceTrack):
                    track.judge(row)
        for row in rows:
            self.ears[row.device].hear(row)
        for device in devices:
            ear = self.ears[device]
            ear.heard = max(time, ear.heard) if ear.ever else time
            ear.ever = True


class Track:
    """One rule."""

    def __init__(self, oracle: Oracle, own: RulePlan, now: Micros) -> None:
        self.oracle, self.own, self.rule = oracle, own, own.rule
        self.known = now
        self.beats = own.metric == HEARTBEAT
        self.said: list[Transition] = []
        self.subject = {
            device: subject
            for slot, subject in enumerate(own.subjects)
            for device in own.devices_of(slot).tolist()
        }
        self.devices: dict[Subject, list[int]] = defaultdict(list)
        for device, subject in self.subject.items():
            self.devices[subject].append(device)
        self.away = {s for s, away in zip(own.subjects, own.away.tolist(), strict=True) if away}

    def silent_at(self, device: int) -> Micros:
        return self.oracle.silent_at(device, beats=self.beats)

    def returned(self, device: int, time: Micros) -> None:
        """A device is heard at a time later than before."""

    def slowed(self, device: int, heard: Micros) -> None:
        """A device is heard, further behind than before."""

    def judge(self, row: Row) -> None:
        """A reading of the rule's metric."""

    def tick(self, now: Micros) -> None:
        """All is heard up to now."""

    def take_said(self) -> list[Transition]:
        said, self.said = self.said, []
        return said

    def holds(self, expression: Expression | None, row: Row) -> bool:
        if expression is None:
            return True
        return bool(expression.evaluate(*self._columns(row))[0])

    def fails(self, expression: Expression, row: Row) -> bool:
        return bool(expression.judge(*self._columns(row))[1][0])

    def _columns(self, row: Row) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        attributes = {n: self.oracle.plan.attributes[n] for n in self.own.attributes}
        return np.array([row.value]), {
            n: c[row.device : row.device + 1] for n, c in attributes.items()
        }

    def say(
        self,
        change: Change,
        cause: Cause,
        subject: Subject,
        span: tuple[Micros, Micros],
        *,
        value: float | None,
        devices: Iterable[int] | None = None,
        severity: Severity | None = None,
    ) -> None:
        ids = tuple(sorted(self.devices[subject] if devices is None else devices))
        colour = severity or self.rule.severity
        self.said.append(Transition(self.rule, subject, change, cause, *span, ids, value, colour))

    def due(self, pending: Micros, lasting: Micros) -> Micros:
        return int(self.own.calendar.due(np.array([pending]), lasting)[0])

    def is_active(self, time: Micros) -> bool:
        return bool(self.own.calendar.is_active(np.array([time]))[0])


def number_holds(expression: Expression, numbers: Mapping[str, float]) -> bool:
    """Whether it is certainly true of these numbers."""
    return bool(expression.judge({n: np.array([v]) for n, v in numbers.items()}, {})[0][0])


def number_is_not(expression: Expression, numbers: Mapping[str, float]) -> bool:
    """Whether it is certainly false of these numbers."""
    return bool(expression.judge({n: np.array([v]) for n, v in numbers.items()}, {})[1][0])


class Spell:
    """What a threshold rule knows of one device."""

    def __init__(self) -> None:
        self.judged: Micros | None = None
        self.value: float | None = None
        self.pending: Micros | None = None
        self.since: Micros | None = None
        self.silent = False
        self.by_silence = False
        self.colour: Severity | None = None
        self.ending: Micros | None = None
        self.lapsed = False


class ThresholdTrack(Track):
    condition: Threshold

    def __init__(self, oracle: Oracle, own: RulePlan, now: Micros) -> None:
        super().__init__(oracle, own, now)
        assert isinstance(own.rule.condition, Threshold)
        self.condition = own.rule.condition
        self.momentary = BY_ID[own.metric].occurs
        self.spells = {subject: Spell() for subject in own.subjects}

    def _watches(self, subject: Subject) -> bool:
        return not self.momentary and subject not in self.away

    def _advance(self, subject: Subject, time: Micros) -> None:
        spell = self.spells[subject]
        if spell.pending is None or spell.since is not None:
            return
        due = self.due(spell.pending, self.condition.lasting)
        if due <= time and due <= self.silent_at(subject.id):
            self._fire(subject, due, spell.value)

    def _fire(self, subject: Subject, at: Micros, value: float | None) -> None:
        spell = self.spells[subject]
        assert spell.pending is not None
        assert value is not None
        spell.since, spell.colour = spell.pending, self._colour(subject, value)
        span = (spell.since, at)
        self._tell(Change.FIRED, Cause.CONDITION_HELD, subject, span, value)

    def _colour(self, subject: Subject, value: float) -> Severity:
        row = Row(0, 0, 0, subject.id, 0, value)
        for grade in self.rule.grades:
            if self.holds(grade.when, row):
                return grade.severity
        return self.rule.severity

    def _tell(
        self,
        change: Change,
        cause: Cause,
        subject: Subject,
        span: tuple[Micros, Micros],
        value: float | None,
    ) -> None:
        colour = self.spells[subject].colour
        self.say(change, cause, subject, span, value=value, severity=colour)

    def _finish(self, subject: Subject, time: Micros) -> None:
        """End what was to be kept until some time up to this one."""
        spell = self.spells[subject]
        if spell.ending is None or spell.since is None:
            return
        due = spell.ending + self.condition.keep
        if due <= time and due <= self.silent_at(subject.id):
            self._end(subject, due, spell.value, Cause.CONDITION_ENDED)

    def _end(self, subject: Subject, at: Micros, value: float | None, cause: Cause) -> None:
        spell = self.spells[subject]
        assert spell.since is not None
        self._tell(Change.CLEARED, cause, subject, (spell.since, at), value)
        spell.since = spell.ending = spell.colour = None
        spell.silent = spell.by_silence = spell.lapsed = False

    def _fall_silent(self, subject: Subject, at: Micros) -> None:
        spell = self.spells[subject]
        if spell.since is None or spell.silent or spell.by_silence:
            return
        spell.silent = True
        span = (spell.since, at)
        self._tell(Change.WENT_SILENT, Cause.SENSOR_SILENT, subject, span, spell.value)

    def _raise(self, subject: Subject, silent_at: Micros, before: Micros) -> None:
        """Tell of the silence, where its device was not heard `before` that is due."""
        spell, at = self.spells[subject], self.due(silent_at, 0)
        if spell.since is None and self.rule.no_data is NoData.ALERT and at < before:
            spell.since, spell.by_silence = self.oracle.said(subject.id, beats=self.beats), True
            span = (spell.since, at)
            self._tell(Change.FIRED, Cause.SENSOR_SILENT, subject, span, spell.value)

    def returned(self, device: int, time: Micros) -> None:
        subject = self.subject.get(device)
        if subject is None or not self._watches(subject):
            return
        spell, at = self.spells[subject], self.silent_at(device)
        if time > at:
            self._advance(subject, time)
            self._finish(subject, time)
            self._fall_silent(subject, at)
            if at == self.oracle.own_at(device, beats=self.beats):
                self._raise(subject, at, time)
            spell.pending = spell.ending = None
            spell.lapsed = spell.since is not None and self.rule.no_data is NoData.CLEAR
        if spell.silent:
            spell.silent = False
            assert spell.since is not None
            self._tell(Change.HEARD_AGAIN, Cause.HEARD, subject, (spell.since, time), spell.value)

    def judge(self, row: Row) -> None:
        subject = self.subject.get(row.device)
        if subject is None:
            return
        spell = self.spells[subject]
        if spell.judged is not None and row.time <= spell.judged:
            return
        if self.momentary and not self.holds(self.condition.when, row):
            return
        if self.momentary:
            if subject not in self.away and self.is_active(row.time):
                self._occur(subject, row)
        elif self._watches(subject):
            self._apply(subject, row)
        spell.judged, spell.value = row.time, row.value

    def _occur(self, subject: Subject, row: Row) -> None:
        span, colour = (row.time, row.time), self._colour(subject, row.value)
        self.say(Change.FIRED, Cause.OCCURRED, subject, span, value=row.value, severity=colour)

    def _apply(self, subject: Subject, row: Row) -> None:
        spell = self.spells[subject]
        if spell.by_silence and spell.since is not None and row.time <= spell.since:
            return  # what was said before the silence does not end it
        self._advance(subject, row.time)
        self._finish(subject, row.time)
        if self.holds(self.condition.when, row):
            self._apply_true(subject, row)
        else:
            spell.pending = None
            clear = self.condition.clear
            ends = self.holds(clear, row) if clear else self.fails(self.condition.when, row)
            self._apply_other(subject, row, ends=ends)
        self._grade(subject, row)

    def _apply_true(self, subject: Subject, row: Row) -> None:
        spell = self.spells[subject]
        spell.by_silence = spell.lapsed = False
        spell.ending = None
        if spell.pending is None:
            spell.pending = row.time
        due = self.due(spell.pending, self.condition.lasting)
        if due == row.time and spell.since is None:
            self._fire(subject, row.time, row.value)

    def _apply_other(self, subject: Subject, row: Row, *, ends: bool) -> None:
        spell = self.spells[subject]
        if spell.since is None:
            return
        if spell.by_silence or spell.lapsed:
            self._end(subject, row.time, row.value, Cause.HEARD)
        elif not ends:
            spell.ending = None
        elif self.condition.keep:
            spell.ending = row.time if spell.ending is None else spell.ending
        else:
            self._end(subject, row.time, row.value, Cause.CONDITION_ENDED)

    def _grade(self, subject: Subject, row: Row) -> None:
        spell, colour = self.spells[subject], self._colour(subject, row.value)
        if spell.since is not None and colour is not (spell.colour or self.rule.severity):
            spell.colour = colour
            span = (spell.since, row.time)
            self._tell(Change.GRADED, Cause.VALUE_CHANGED, subject, span, row.value)

    def tick(self, now: Micros) -> None:
        for subject in self.own.subjects:
            if self._watches(subject):
                theirs = now - self.oracle.lag[subject.id]
                self._advance(subject, theirs)
                self._finish(subject, theirs)
                silent_at = self.silent_at(subject.id)
                missed_at = self.oracle.missed_at(subject.id, beats=self.beats)
                if theirs > silent_at:
                    self._fall_silent(subject, silent_at)
                if theirs > missed_at:
                    self._raise(subject, missed_at, theirs)


class AbsenceTrack(Track):
    def __init__(self, oracle: Oracle, own: RulePlan, now: Micros) -> None:
        super().__init__(oracle, own, now)
        assert isinstance(own.rule.condition, Absence)
        self.condition = own.rule.condition
        self.last = dict.fromkeys(own.subjects, now)
        self.firing: set[Subject] = set()

    def judge(self, row: Row) -> None:
        subject, heard = self.subject.get(row.device), row.heard
        if subject is None or subject in self.away or not self.holds(self.condition.when, row):
            return
        if self.condition.when is None and row.offline:
            return
        if heard > self.last[subject]:
            if subject in self.firing:
                since = self.last[subject]
                self.say(
                    Change.CLEARED,
                    Cause.HEARD,
                    subject,
                    (since, heard),
                    value=row.value,
                    devices=[row.device],
                )
                self.firing.discard(subject)
            self.last[subject] = heard

    def tick(self, now: Micros) -> None:
        for subject in self.own.subjects:
            if subject in self.firing or subject in self.away:
                continue
            due = self._due(subject)
            if due <= now:
                self.firing.add(subject)
                since = self.last[subject]
                self.say(Change.FIRED, Cause.NOTHING_HEARD, subject, (since, due), value=None)

    def _due(self, subject: Subject) -> Micros:
        oracle, due = self.oracle, self._elapse(self.last[subject], subject)
        if self.condition.when is None:
            return min(self._due_of(device, subject) for device in self.devices[subject])
        heard = [d for d in self.devices[subject] if oracle.known(d, beats=self.beats)]
        sensed = any(self.silent_at(d) + oracle.lag[d] >= due for d in heard)
        return due if sensed else FOREVER

    def _lasting(self, subject: Subject) -> Micros:
        intervals = self.condition.intervals
        return (
            intervals * self.oracle.limit(subject.id) // 3 if intervals else self.condition.lasting
        )

    def _due_of(self, device: int, subject: Subject) -> Micros:
        """When it was away for so long though its gateway was there."""
        oracle, last = self.oracle, self.last[subject]
        gateway = oracle.gateway(device)
        if gateway is None:
            return self._elapse(last, subject)
        due = self._elapse(max(last, oracle.back.get(gateway, last)), subject)
        gone = oracle.gone_at(device)
        spoke_after = gone < oracle.said(device, beats=self.beats)
        return due if spoke_after or due - oracle.lag[device] <= gone else FOREVER

    def _elapse(self, last: Micros, subject: Subject) -> Micros:
        return int(self.own.calendar.elapse(np.array([last]), self._lasting(subject))[0])


class WindowTrack(Track):
    def __init__(self, oracle: Oracle, own: RulePlan, now: Micros) -> None:
        super().__init__(oracle, own, now)
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
                lag = max(self.oracle.lag[d] for d in self.devices[subject])
                self._expire(subject, now - lag)


TRACKS: dict[type, type[Track]] = {
    Threshold: ThresholdTrack,
    Absence: AbsenceTrack,
    CountInWindow: WindowTrack,
}
"""By the class of the condition; further modules add theirs."""


def track_of(oracle: Oracle, own: RulePlan, now: Micros) -> Track:
    """The plain loop for this rule."""
    return TRACKS[type(own.rule.condition)](oracle, own, now)


class Quiet:
    """What is not told because another rule stands: all that happens, one thing after another."""

    def __init__(self, plan: Plan) -> None:
        self.rules = [own.rule for own in plan.rules]
        self.inventory = plan.whereabouts.inventory
        self.standing: set[tuple[str, Subject]] = set()
        self.held: dict[tuple[str, Subject], Transition] = {}
        self.silent: dict[tuple[str, Subject], Micros | None] = {}

    def told(self, said: list[list[Transition]], now: Micros) -> list[Transition]:
        codes = [rule.code for rule in self.rules]
        told: dict[str, list[Transition]] = {}
        while len(told) < len(codes):
            for rule, own in zip(self.rules, said, strict=True):
                waits = [c for c in rule.unless if c in codes and c not in told]
                if rule.code not in told and not waits:
                    told[rule.code] = self._of(rule, own, told, now)
        self.standing = self._after(self.standing, [t for own in told.values() for t in own])
        return [t for code in codes for t in told[code]]

    def _after(
        self, standing: set[tuple[str, Subject]], said: Iterable[Transition]
    ) -> set[tuple[str, Subject]]:
        standing = set(standing)
        for t in said:
            if t.change is Change.FIRED and t.cause is not Cause.OCCURRED:
                standing.add((t.rule.code, t.subject))
            elif t.change is Change.CLEARED:
                standing.discard((t.rule.code, t.subject))
        return standing

    def _of(
        self, rule: Rule, own: list[Transition], told: Mapping[str, list[Transition]], now: Micros
    ) -> list[Transition]:
        if not rule.unless:
            return own
        others = [t for code in rule.unless for t in told.get(code, [])]
        events = [(t.at + (t.cause is Cause.SENSOR_SILENT), 0, t) for t in others]
        fired = {(t.at, t.subject) for t in own if t.change is Change.FIRED}
        events += [(t.at, 2 if (t.at, t.subject) in fired else -1, t) for t in own]
        standing, out = set(self.standing), list[Transition]()
        for time, ours, t in sorted(events, key=lambda e: e[:2]):
            if ours != 0:
                out += self._own(t, rule, standing)
            else:
                standing = self._after(standing, [t])
                if t.change is Change.CLEARED:
                    out += self._release(rule, standing, time)
        return out + self._release(rule, standing, now)

    def _own(
        self, t: Transition, rule: Rule, standing: set[tuple[str, Subject]]
    ) -> list[Transition]:
        key = (rule.code, t.subject)
        if t.change is Change.FIRED and self._quiet(rule, t.subject, standing):
            if t.cause is not Cause.OCCURRED:
                self.held[key], self.silent[key] = t, None
            return []
        if key not in self.held:
            return [t]
        if t.change is Change.CLEARED:
            del self.held[key]
        elif t.change is Change.GRADED:
            self.held[key] = replace(self.held[key], severity=t.severity, value=t.value)
        else:
            self.silent[key] = t.at if t.change is Change.WENT_SILENT else None
        return []

    def _release(
        self, rule: Rule, standing: set[tuple[str, Subject]], time: Micros
    ) -> list[Transition]:
        out = []
        for key, t in list(self.held.items()):
            if key[0] == rule.code and not self._quiet(rule, key[1], standing):
                del self.held[key]
                fired = replace(t, at=max(time, t.at))
                out.append(fired)
                if (silent := self.silent[key]) is not None:
                    at = max(fired.at, silent)
                    why = Cause.SENSOR_SILENT
                    out.append(replace(fired, change=Change.WENT_SILENT, cause=why, at=at))
        return out

    def _quiet(self, rule: Rule, subject: Subject, standing: set[tuple[str, Subject]]) -> bool:
        return any(code in rule.unless and self._around(other, subject) for code, other in standing)

    def _around(self, other: Subject, subject: Subject) -> bool:
        kinds, home = (other.kind, subject.kind), self._home(other)
        if other.kind is SubjectKind.AREA:
            return other.id in self.inventory.path(self._area(subject))
        if kinds == (SubjectKind.DEVICE, SubjectKind.DEVICE):
            return other == subject
        return SubjectKind.AREA not in kinds and home is not None and home == self._home(subject)

    def _home(self, subject: Subject) -> int | None:
        if subject.kind is SubjectKind.DEVICE:
            return self.inventory.devices[subject.id].household
        return subject.id

    def _area(self, subject: Subject) -> int:
        if subject.kind is SubjectKind.DEVICE:
            return self.inventory.devices[subject.id].area
        if subject.kind is SubjectKind.HOUSEHOLD:
            return self.inventory.households[subject.id].area
        return subject.id


def by_subject(
    transitions: Iterable[Transition],
) -> dict[tuple[str, SubjectKind, int], list[Transition]]:
    """Each subject's transitions of each rule, in order."""
    grouped: dict[tuple[str, SubjectKind, int], list[Transition]] = defaultdict(list)
    for t in transitions:
        grouped[t.rule.code, t.subject.kind, t.subject.id].append(t)
    return dict(grouped)


__all__ = ["TRACKS", "Oracle", "Row", "Rule", "Track", "by_subject"]
