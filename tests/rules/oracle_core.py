"""What was heard of whom, as a plain loop: what the plain loops of all kinds of rule stand on.

Readings of a batch are taken by time; all of one instant are judged by what had been heard before
that instant. A message from the future is moved back to its arrival; timers run in the time of the
device. What gateways say in a batch is known before what others say in it is judged.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from copy import copy
from itertools import groupby
from typing import NamedTuple

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_NAME
from devices.reading import Reading
from rules.expression import Expression
from rules.model import Severity, SubjectKind
from rules.plan import NOBODY, Plan, RulePlan
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


class Stream:
    """What rules of one lateness hear, and what they say. numbers: theirs in the plan."""

    def __init__(self, plan: Plan, numbers: Sequence[int], now: Micros) -> None:
        self.plan = plan
        known = range(len(plan.silent_after))
        self.ears = {device: Ear(now) for device in known}
        self.lag: dict[int, Micros] = defaultdict(int)
        self.back: dict[int, Micros] = {}
        self.ended: dict[int, list[Micros]] = defaultdict(list)
        self.gone: dict[int, Micros] = {}
        rules = {number: plan.rules[number] for number in numbers}
        self.tracks = {
            number: TRACKS[type(own.rule.condition)](self, own, now)
            for number, own in rules.items()
        }

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

    def evaluate(self, readings: Sequence[Reading], now: Micros) -> None:
        """Fold these readings, then let timers fire up to `now`."""
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
        for track in self.tracks.values():
            track.tick(now)

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
                    for track in self.tracks.values():
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
            for track in self.tracks.values():
                if row.metric == track.own.metric and track.by_hearing:
                    track.judge(row)

    def _instant(self, time: Micros, rows: list[Row]) -> None:
        devices = sorted({r.device for r in rows})
        for device in devices:
            ear = self.ears[device]
            alive = any(not r.offline for r in rows if r.device == device)
            for track in self.tracks.values():
                said = self.said(device, beats=track.beats)
                known = self.known(device, beats=track.beats)
                if (alive or track.beats) and (not known or time > said):
                    track.returned(device, time)
        for row in sorted(rows, key=lambda r: r.device):
            for track in self.tracks.values():
                if row.metric in track.own.metrics and not track.by_hearing:
                    track.judge(row)
        for row in rows:
            self.ears[row.device].hear(row)
        for device in devices:
            ear = self.ears[device]
            ear.heard = max(time, ear.heard) if ear.ever else time
            ear.ever = True


class Track:
    """One rule. devices: of each subject · subject: of the devices whose readings are judged."""

    by_hearing = False
    """Whether it takes readings by when they were heard, not by their own time."""

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        self.stream, self.own, self.rule = stream, own, own.rule
        self.known = now
        self.beats = own.metric == HEARTBEAT
        self.said: list[Transition] = []
        self.devices: dict[Subject, list[int]] = {
            subject: own.devices_of(slot).tolist() for slot, subject in enumerate(own.subjects)
        }
        self.subject = {
            device: subject
            for subject, devices in self.devices.items()
            for device in devices
            if own.slot[device] != NOBODY
        }
        self.away = {s for s, away in zip(own.subjects, own.away.tolist(), strict=True) if away}

    def silent_at(self, device: int) -> Micros:
        return self.stream.silent_at(device, beats=self.beats)

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
        attributes = {n: self.stream.plan.attributes[n] for n in self.own.attributes}
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


TRACKS: dict[type, type[Track]] = {}
"""By the class of the condition; the module of each kind adds its own."""


def by_subject(
    transitions: Iterable[Transition],
) -> dict[tuple[str, SubjectKind, int], list[Transition]]:
    """Each subject's transitions of each rule, in order."""
    grouped: dict[tuple[str, SubjectKind, int], list[Transition]] = defaultdict(list)
    for t in transitions:
        grouped[t.rule.code, t.subject.kind, t.subject.id].append(t)
    return dict(grouped)
