"""The same rules once more, as a plain loop over single readings with dictionaries.

Slow and obvious; what `rules.evaluate` must agree with. Readings of a batch are taken by time; all
of one instant are judged by what had been heard before that instant. A message from the future is
moved back to its arrival; timers run in the time of the device.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from devices.instant import Micros
from devices.metric import BY_ID
from devices.reading import Reading
from rules.expression import Expression
from rules.model import Absence, CountInWindow, NoData, Rule, SubjectKind, Threshold
from rules.plan import Plan, RulePlan
from rules.transition import Cause, Change, Subject, Transition


class Row(NamedTuple):
    """A reading. time: its own, moved back if it was in the future · heard: by the server."""

    time: Micros
    heard: Micros
    arrival: Micros
    device: int
    metric: int
    value: float


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
        rows.append(Row(time, heard, r.arrival, r.device, r.metric, r.value))
    return sorted(rows, key=lambda row: row.time)


class Oracle:
    """Judges batches as `evaluate` does; keeps its own state."""

    def __init__(self, plan: Plan, now: Micros) -> None:
        self.plan = plan
        self.known = now
        self.heard: dict[int, Micros] = {}
        self.lag: dict[int, Micros] = defaultdict(int)
        self.tracks = [track_of(self, own, now) for own in plan.rules]

    def base(self, device: int) -> Micros:
        return self.heard.get(device, self.known)

    def limit(self, device: int) -> Micros:
        return int(self.plan.silent_after[device])

    def silent_at(self, device: int) -> Micros:
        return self.base(device) + self.limit(device)

    def evaluate(self, readings: Sequence[Reading], now: Micros) -> list[Transition]:
        """Fold these readings, then let timers fire up to `now`; sorted by `at`, stably."""
        rows, before = placed(readings, now), dict(self.heard)
        for time, group in groupby(rows, lambda r: r.time):
            self._instant(time, list(group))
        self._absences(rows)
        for row in {row.device: row for row in rows}.values():
            if row.device not in before or row.time > before[row.device]:
                longest = min(self.lag[row.device], row.arrival - row.time)
                self.lag[row.device] = max(longest, row.heard - row.time)
        for track in self.tracks:
            track.tick(now)
        said = [t for track in self.tracks for t in track.take_said()]
        return sorted(said, key=lambda t: t.at)

    def _absences(self, rows: Sequence[Row]) -> None:
        """Absence goes by when a reading was heard, not by its own time."""
        for row in sorted(rows, key=lambda r: (r.heard, r.device, r.time)):
            for track in self.tracks:
                if row.metric == track.own.metric and isinstance(track, AbsenceTrack):
                    track.judge(row)

    def _instant(self, time: Micros, rows: list[Row]) -> None:
        devices = sorted({r.device for r in rows})
        for device in devices:
            if device not in self.heard or time > self.heard[device]:
                for track in self.tracks:
                    track.returned(device, time, gap=time > self.silent_at(device))
        for row in sorted(rows, key=lambda r: r.device):
            for track in self.tracks:
                if row.metric == track.own.metric and not isinstance(track, AbsenceTrack):
                    track.judge(row)
        for device in devices:
            self.heard[device] = max(time, self.heard.get(device, time))


class Track:
    """One rule."""

    def __init__(self, oracle: Oracle, own: RulePlan, now: Micros) -> None:
        self.oracle, self.own, self.rule = oracle, own, own.rule
        self.known = now
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

    def returned(self, device: int, time: Micros, *, gap: bool) -> None:
        """A device is heard at a time later than before."""

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
    ) -> None:
        ids = tuple(sorted(self.devices[subject] if devices is None else devices))
        self.said.append(Transition(self.rule, subject, change, cause, *span, ids, value))


class Spell:
    """What a threshold rule knows of one device."""

    def __init__(self) -> None:
        self.judged: Micros | None = None
        self.value: float | None = None
        self.pending: Micros | None = None
        self.since: Micros | None = None
        self.silent = False
        self.by_silence = False


class ThresholdTrack(Track):
    condition: Threshold

    def __init__(self, oracle: Oracle, own: RulePlan, now: Micros) -> None:
        super().__init__(oracle, own, now)
        assert isinstance(own.rule.condition, Threshold)
        self.condition = own.rule.condition
        self.momentary = BY_ID[own.metric].momentary
        self.spells = {subject: Spell() for subject in own.subjects}

    def _watches(self, subject: Subject) -> bool:
        return not self.momentary and subject not in self.away

    def _advance(self, subject: Subject, time: Micros) -> None:
        spell = self.spells[subject]
        if spell.pending is None or spell.since is not None:
            return
        due = spell.pending + self.condition.lasting
        if due <= time and due <= self.oracle.silent_at(subject.id):
            spell.since = spell.pending
            self.say(
                Change.FIRED, Cause.CONDITION_HELD, subject, (spell.since, due), value=spell.value
            )

    def _fall_silent(self, subject: Subject) -> None:
        spell, at = self.spells[subject], self.oracle.silent_at(subject.id)
        if spell.since is None and self.rule.no_data is NoData.ALERT:
            spell.since, spell.by_silence = self.oracle.base(subject.id), True
            self.say(
                Change.FIRED, Cause.SENSOR_SILENT, subject, (spell.since, at), value=spell.value
            )
        elif spell.since is not None and not spell.silent and not spell.by_silence:
            spell.silent = True
            self.say(
                Change.WENT_SILENT,
                Cause.SENSOR_SILENT,
                subject,
                (spell.since, at),
                value=spell.value,
            )

    def returned(self, device: int, time: Micros, *, gap: bool) -> None:
        subject = self.subject.get(device)
        if subject is None or not self._watches(subject):
            return
        spell = self.spells[subject]
        if gap:
            self._advance(subject, time)
            self._fall_silent(subject)
            spell.pending = None
        if spell.silent:
            spell.silent = False
            assert spell.since is not None
            self.say(
                Change.HEARD_AGAIN, Cause.HEARD, subject, (spell.since, time), value=spell.value
            )

    def judge(self, row: Row) -> None:
        subject = self.subject.get(row.device)
        if subject is None:
            return
        spell = self.spells[subject]
        if spell.judged is not None and row.time <= spell.judged:
            return
        if self.momentary and not self.holds(self.condition.when, row):
            return
        if self.momentary and subject not in self.away:
            self.say(Change.FIRED, Cause.OCCURRED, subject, (row.time, row.time), value=row.value)
        elif self._watches(subject):
            self._apply(subject, row)
        spell.judged, spell.value = row.time, row.value

    def _apply(self, subject: Subject, row: Row) -> None:
        spell = self.spells[subject]
        self._advance(subject, row.time)
        if self.holds(self.condition.when, row):
            self._apply_true(subject, row)
            return
        spell.pending = None
        clear = self.condition.clear
        ends = self.holds(clear, row) if clear else self.fails(self.condition.when, row)
        if spell.since is not None and (ends or spell.by_silence):
            cause = Cause.HEARD if spell.by_silence else Cause.CONDITION_ENDED
            self.say(Change.CLEARED, cause, subject, (spell.since, row.time), value=row.value)
            spell.since, spell.silent, spell.by_silence = None, False, False

    def _apply_true(self, subject: Subject, row: Row) -> None:
        spell = self.spells[subject]
        spell.by_silence = False
        if spell.pending is None:
            spell.pending = row.time
        if self.condition.lasting == 0 and spell.since is None:
            spell.since = spell.pending
            self.say(
                Change.FIRED,
                Cause.CONDITION_HELD,
                subject,
                (spell.since, row.time),
                value=row.value,
            )

    def tick(self, now: Micros) -> None:
        for subject in self.own.subjects:
            if self._watches(subject):
                theirs = now - self.oracle.lag[subject.id]
                self._advance(subject, theirs)
                if theirs > self.oracle.silent_at(subject.id):
                    self._fall_silent(subject)


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
            due = self.last[subject] + self.condition.lasting
            fires = due <= now and subject not in self.firing and subject not in self.away
            if fires and self._sensed(subject, due):
                self.firing.add(subject)
                since = self.last[subject]
                self.say(Change.FIRED, Cause.NOTHING_HEARD, subject, (since, due), value=None)

    def _sensed(self, subject: Subject, due: Micros) -> bool:
        heard = [d for d in self.devices[subject] if d in self.oracle.heard]
        alive = any(self.oracle.silent_at(d) + self.oracle.lag[d] >= due for d in heard)
        return self.condition.when is None or alive


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
        if (row.time, row.device) in self.kept[subject]:
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
        if end < time and all(self.oracle.silent_at(d) >= end for d in self.devices[subject]):
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


def track_of(oracle: Oracle, own: RulePlan, now: Micros) -> Track:
    """The plain loop for this rule."""
    kinds: dict[type, type[Track]] = {
        Threshold: ThresholdTrack,
        Absence: AbsenceTrack,
        CountInWindow: WindowTrack,
    }
    return kinds[type(own.rule.condition)](oracle, own, now)


def by_subject(
    transitions: Iterable[Transition],
) -> dict[tuple[str, SubjectKind, int], list[Transition]]:
    """Each subject's transitions of each rule, in order."""
    grouped: dict[tuple[str, SubjectKind, int], list[Transition]] = defaultdict(list)
    for t in transitions:
        grouped[t.rule.code, t.subject.kind, t.subject.id].append(t)
    return dict(grouped)


__all__ = ["Oracle", "Rule", "by_subject"]
