"""The plain loop of absences: when each subject was last heard, and a deadline."""

from collections.abc import Iterable

import numpy as np

from devices.instant import FOREVER, Micros
from devices.kind import SILENT_AFTER_INTERVALS
from rules.model import Absence
from rules.plan import RulePlan
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Track


class AbsenceTrack(Track):
    """Nothing came, or nothing for which a condition holds."""

    by_hearing = True

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, Absence)
        self._when, self._any = self.closure(condition.when), condition.when is None
        self._lasting, self._intervals = condition.lasting, condition.intervals
        self._last = dict.fromkeys(self.slot, now)
        self._firing: set[Key] = set()
        self._open: set[Key] = set()
        self._known: dict[Key, tuple[Micros, Micros]] = {}

    def from_the_start(self) -> Iterable[Key]:
        return [key for key in self.slot if key not in self.away]

    def hear(self, device: int, heard: Micros, value: float, *, offline: bool) -> None:
        key = self.subject.get(device)
        if key is None or key in self.away or not self._when(value, device):
            return
        if (self._any and offline) or heard <= self._last[key]:
            return
        if key in self._firing:
            span = (self._last[key], heard)
            self.say(Change.CLEARED, Cause.HEARD, key, span, value=value, devices=[device])
            self._firing.discard(key)
            self._open.add(key)
        self._last[key] = heard

    def tick(self, key: Key, now: Micros) -> Micros:
        due = FOREVER
        if key not in self._firing:
            dues = self._dues(key) if self._any else {self._elapsed(self._last[key], key)}
            if any(due <= now and self._concluded(key, due) for due in dues):
                devices = self.devices_of(key)
                self._firing.add(key)
                at = min(due for due in dues if self._concluded(key, due))
                span, why = (self._last[key], at), Cause.NOTHING_HEARD
                self.say(Change.FIRED, why, key, span, value=None, devices=devices)
            else:
                if any(due <= now for due in dues):
                    self._open.add(key)
                due = min((due for due in dues if due > now), default=FOREVER)
        return due

    def take_changed(self) -> Iterable[Key]:
        keys, self._open = self._open, set()
        return keys

    def _concluded(self, key: Key, due: Micros) -> bool:
        """Whether whoever was absent until then could have been heard."""
        return any(self._could(device, key, due) for device in self.devices_of(key))

    def _could(self, device: int, key: Key, due: Micros) -> bool:
        ears, ear = self.ears, self.ears.by_device[device]
        if not self._any:
            known = ear.known(beats=self.beats)
            return known and ears.silent_at(device, beats=self.beats) + ear.lag >= due
        if self._due_of(device, key) != due:
            return False
        gone = ears.gone_at(ear)
        return gone < ear.said(beats=self.beats) or due - ear.lag <= gone

    def _dues(self, key: Key) -> set[Micros]:
        return {self._due_of(device, key) for device in self.devices_of(key)}

    def _due_of(self, device: int, key: Key) -> Micros:
        last, ear = self._last[key], self.ears.by_device[device]
        back = self.ears.gateways[ear.gateway].back if ear.gateway >= 0 else None
        return self._elapsed(last if back is None else max(last, back), key)

    def _elapsed(self, last: Micros, key: Key) -> Micros:
        """When what was heard last then has been absent long enough, in active time."""
        lasting = self._lasting
        if self._intervals:
            lasting = self.ears.by_device[key].limit // SILENT_AFTER_INTERVALS * self._intervals
        if self.rule.active is None:
            return last + lasting
        since, due = self._known.get(key, (None, FOREVER))
        if since != last:
            due = int(self.own.calendar.elapse(np.array([last]), lasting)[0])
            self._known[key] = last, due
        return due
