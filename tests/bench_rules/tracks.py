"""What the plain loop knows of each rule: whom it is true at, and whose timers run."""

from bisect import insort
from collections.abc import Iterable
from typing import TypeAlias

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID, BY_NAME
from rules.expression import Expression
from rules.model import Absence, CountInWindow, NoData, Threshold
from rules.plan import RulePlan
from rules.transition import Cause, Change, Transition
from tests.bench_rules.closures import Truths, compiled
from tests.bench_rules.ears import Ears

Key: TypeAlias = int
"""A subject's id."""

HEARTBEAT = BY_NAME["heartbeat"].id


class Track:
    """One rule. restless: by device, the rules that a silence of it matters to."""

    by_hearing = False

    def __init__(self, ears: Ears, own: RulePlan, number: int) -> None:
        self.ears, self.own, self.rule, self.number = ears, own, own.rule, number
        self.beats = own.metric == HEARTBEAT
        self.restless: dict[int, set[Track]] = {}
        self._said: list[Transition] = []
        ids, away = own.subject_ids.tolist(), own.away.tolist()
        self.away = {key for key, gone in zip(ids, away, strict=True) if gone}
        slots = own.slot[own.devices]
        pairs = zip(own.devices.tolist(), slots.tolist(), strict=True)
        self.subject = {device: ids[slot] for device, slot in pairs if slot >= 0}
        self._slot = {key: slot for slot, key in enumerate(ids)}

    def judge(self, device: int, time: Micros, value: float) -> None:
        """A reading of the rule's metric."""

    def hear(self, device: int, heard: Micros, value: float, *, offline: bool) -> None:
        """A reading of the rule's metric, in the order of hearing."""

    def returned(self, device: int, time: Micros) -> None:
        """A device is heard at a time later than before."""

    def from_the_start(self) -> Iterable[Key]:
        """Whose timers run though nothing happened."""
        return ()

    def tick(self, key: Key, now: Micros) -> Micros:
        """All is heard up to now; returns when to look again, at the latest."""
        raise NotImplementedError

    def take_said(self) -> list[Transition]:
        """What it told since the last time."""
        if not self._said:
            return self._said
        said, self._said = self._said, []
        return said

    def take_changed(self) -> Iterable[Key]:
        """Who is to be looked at whatever the heap says."""
        return ()

    def devices_of(self, key: Key) -> list[int]:
        """The devices of this subject."""
        devices: list[int] = self.own.devices_of(self._slot[key]).tolist()
        return devices

    def closure(self, expression: Expression | None) -> Truths:
        """The expression over the devices of the rule; what there is none of always holds."""
        if expression is None:
            return lambda _value, _device: True
        columns = self.ears.plan.attributes
        return compiled(
            expression,
            {
                name: {device: float(columns[name][device]) for device in self.subject}
                for name in expression.attributes
            },
        )

    def say(
        self,
        change: Change,
        cause: Cause,
        key: Key,
        span: tuple[Micros, Micros],
        *,
        value: float | None,
        devices: Iterable[int],
    ) -> None:
        """Note this change; span: since when, and at which moment."""
        subject = self.own.subject(self._slot[key])
        ids = tuple(sorted(devices))
        colour = self.rule.severity
        self._said.append(Transition(self.rule, subject, change, cause, *span, ids, value, colour))


class _Spell:
    """What a threshold rule knows of one device."""

    __slots__ = ("by_silence", "judged", "pending", "silent", "since", "value")

    def __init__(self) -> None:
        self.judged: Micros = NEVER - 1
        self.value: float | None = None
        self.pending: Micros | None = None
        self.since: Micros | None = None
        self.silent = self.by_silence = False


class _Threshold(Track):
    def __init__(self, ears: Ears, own: RulePlan, number: int, condition: Threshold) -> None:
        super().__init__(ears, own, number)
        self._when, self._lasting = self.closure(condition.when), condition.lasting
        self._clear = self.closure(condition.clear) if condition.clear else None
        self._momentary = BY_ID[own.metric].occurs
        self._alert = own.rule.no_data is NoData.ALERT
        self._spells: dict[int, _Spell] = {}

    def from_the_start(self) -> Iterable[Key]:
        if not self._alert or self._momentary:
            return ()
        keys = [key for key in self._slot if key not in self.away]
        for key in keys:
            self._spells[key] = _Spell()
            self.restless[key].add(self)
        return keys

    def judge(self, device: int, time: Micros, value: float) -> None:
        spell = self._spells.get(device)
        if spell is None:
            if device not in self.subject:
                return
            spell = self._spells[device] = _Spell()
        if time <= spell.judged:
            return
        true = self._when(value, device)
        if self._momentary:
            if not true:
                return
            if device not in self.away:
                self._say(Change.FIRED, Cause.OCCURRED, device, (time, time), value)
        elif (
            true or spell.pending is not None or spell.since is not None
        ) and device not in self.away:
            self._apply(spell, device, time, value, true=true)
        spell.judged = time
        spell.value = value

    def _apply(
        self, spell: _Spell, device: int, time: Micros, value: float, *, true: bool | None
    ) -> None:
        if spell.by_silence and spell.since is not None and time <= spell.since:
            return
        self._advance(spell, device, time)
        if true:
            self._apply_true(spell, device, time, value)
            return
        spell.pending = None
        if spell.since is not None:
            ends = self._clear(value, device) if self._clear else true is False
            if ends or spell.by_silence:
                cause = Cause.HEARD if spell.by_silence else Cause.CONDITION_ENDED
                self._say(Change.CLEARED, cause, device, (spell.since, time), value)
                spell.since, spell.silent, spell.by_silence = None, False, False
        if spell.since is None and not self._alert:
            self.restless[device].discard(self)
            if not self.restless[device]:
                del self.restless[device]

    def _apply_true(self, spell: _Spell, device: int, time: Micros, value: float) -> None:
        spell.by_silence = False
        if spell.pending is None:
            spell.pending = time
            self.restless[device].add(self)
        if self._lasting == 0 and spell.since is None:
            spell.since = spell.pending
            self._say(Change.FIRED, Cause.CONDITION_HELD, device, (spell.since, time), value)

    def _advance(self, spell: _Spell, device: int, time: Micros) -> None:
        if spell.pending is not None and spell.since is None:
            due = spell.pending + self._lasting
            if due <= time and due <= self.ears.silent_at(device, beats=self.beats):
                since = spell.since = spell.pending
                self._say(Change.FIRED, Cause.CONDITION_HELD, device, (since, due), spell.value)

    def _fall_silent(self, spell: _Spell, device: int, at: Micros) -> None:
        if spell.since is not None and not spell.silent and not spell.by_silence:
            spell.silent = True
            why = Cause.SENSOR_SILENT
            self._say(Change.WENT_SILENT, why, device, (spell.since, at), spell.value)

    def _raise(self, spell: _Spell, device: int, at: Micros) -> None:
        if spell.since is None and self._alert:
            since = self.ears.by_device[device].said(beats=self.beats)
            spell.since, spell.by_silence = since, True
            self._say(Change.FIRED, Cause.SENSOR_SILENT, device, (since, at), spell.value)

    def returned(self, device: int, time: Micros) -> None:
        spell, at = self._spells[device], self.ears.silent_at(device, beats=self.beats)
        if time > at:
            self._advance(spell, device, time)
            self._fall_silent(spell, device, at)
            if at == self.ears.by_device[device].own_at(beats=self.beats):
                self._raise(spell, device, at)
            spell.pending = None
        if spell.silent and spell.since is not None:
            spell.silent = False
            self._say(Change.HEARD_AGAIN, Cause.HEARD, device, (spell.since, time), spell.value)

    def tick(self, key: Key, now: Micros) -> Micros:
        spell, lag = self._spells[key], self.ears.by_device[key].lag
        theirs, silent_at = now - lag, self.ears.silent_at(key, beats=self.beats)
        missed_at = self.ears.missed_at(key, beats=self.beats) if self._alert else FOREVER
        self._advance(spell, key, theirs)
        if theirs > silent_at:
            self._fall_silent(spell, key, silent_at)
        if theirs > missed_at:
            self._raise(spell, key, missed_at)
        if spell.since is None:
            due = FOREVER if spell.pending is None else spell.pending + self._lasting
            return min(due if due <= silent_at else FOREVER, missed_at + 1) + lag
        return FOREVER if spell.silent or spell.by_silence else silent_at + 1 + lag

    def _say(
        self,
        change: Change,
        cause: Cause,
        device: int,
        span: tuple[Micros, Micros],
        value: float | None,
    ) -> None:
        self.say(change, cause, device, span, value=value, devices=(device,))


class _Absence(Track):
    by_hearing = True

    def __init__(
        self, ears: Ears, own: RulePlan, number: int, condition: Absence, now: Micros
    ) -> None:
        super().__init__(ears, own, number)
        self._when, self._any = self.closure(condition.when), condition.when is None
        self._lasting = condition.lasting
        self._last = dict.fromkeys(self._slot, now)
        self._firing: set[Key] = set()
        self._open: set[Key] = set()

    def from_the_start(self) -> Iterable[Key]:
        return [key for key in self._slot if key not in self.away]

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
            dues = self._dues(key) if self._any else {self._last[key] + self._lasting}
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
        return max(last, last if back is None else back) + self._lasting


class _Count(Track):
    def __init__(self, ears: Ears, own: RulePlan, number: int, condition: CountInWindow) -> None:
        super().__init__(ears, own, number)
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
        if (time, device) in kept:
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
        lag = max(self.ears.by_device[device].lag for device in self.devices_of(key))
        self._expire(key, now - lag)
        return FOREVER


def judges(own: RulePlan) -> bool:
    """Whether the plain loop knows this kind of rule, and all keys that it has."""
    rule, condition = own.rule, own.rule.condition
    if rule.grades or rule.active or rule.unless or rule.lateness:
        return False
    if isinstance(condition, Threshold):
        return not condition.keep and rule.no_data is not NoData.CLEAR
    if isinstance(condition, Absence):
        return not condition.intervals
    return isinstance(condition, CountInWindow)


def track_of(ears: Ears, own: RulePlan, number: int, now: Micros) -> Track:
    """The plain loop for this rule; TypeError for a kind that it does not know."""
    condition = own.rule.condition
    if isinstance(condition, Threshold):
        return _Threshold(ears, own, number, condition)
    if isinstance(condition, Absence):
        return _Absence(ears, own, number, condition, now)
    if isinstance(condition, CountInWindow):
        return _Count(ears, own, number, condition)
    raise TypeError(f"rule {own.rule.code}: the plain loop knows no {type(condition).__name__}")
