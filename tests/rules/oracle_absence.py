"""Absences as a plain loop: what was heard last of each subject."""

import numpy as np

from devices.instant import FOREVER, Micros
from rules.model import Absence
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track


class AbsenceTrack(Track):
    by_hearing = True

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
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
        stream, due = self.stream, self._elapse(self.last[subject], subject)
        if self.condition.when is None:
            return min(self._due_of(device, subject) for device in self.devices[subject])
        heard = [d for d in self.devices[subject] if stream.known(d, beats=self.beats)]
        sensed = any(self.silent_at(d) + stream.lag[d] >= due for d in heard)
        return due if sensed else FOREVER

    def _lasting(self, subject: Subject) -> Micros:
        intervals = self.condition.intervals
        return (
            intervals * self.stream.limit(subject.id) // 3 if intervals else self.condition.lasting
        )

    def _due_of(self, device: int, subject: Subject) -> Micros:
        """When it was away for so long though its gateway was there."""
        stream, last = self.stream, self.last[subject]
        gateway = stream.gateway(device)
        if gateway is None:
            return self._elapse(last, subject)
        due = self._elapse(max(last, stream.back.get(gateway, last)), subject)
        gone = stream.gone_at(device)
        spoke_after = gone < stream.said(device, beats=self.beats)
        return due if spoke_after or due - stream.lag[device] <= gone else FOREVER

    def _elapse(self, last: Micros, subject: Subject) -> Micros:
        return int(self.own.calendar.elapse(np.array([last]), self._lasting(subject))[0])


TRACKS[Absence] = AbsenceTrack
