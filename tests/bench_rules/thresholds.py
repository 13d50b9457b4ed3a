"""The plain loop of thresholds: each device by itself, reading after reading."""

from collections.abc import Iterable

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID
from rules.model import NoData, Severity, Threshold
from rules.plan import RulePlan
from rules.transition import Cause, Change
from tests.bench_rules.ears import Ears
from tests.bench_rules.track import Key, Track


class _Spell:
    """What a threshold rule knows of one device."""

    __slots__ = (
        "by_silence",
        "colour",
        "ending",
        "judged",
        "lapsed",
        "pending",
        "silent",
        "since",
        "value",
    )

    def __init__(self) -> None:
        self.judged: Micros = NEVER - 1
        self.value: float | None = None
        self.pending: Micros | None = None
        self.since: Micros | None = None
        self.ending: Micros | None = None
        self.colour: Severity | None = None
        self.silent = self.by_silence = self.lapsed = False

    def end(self) -> None:
        """No alert stands any more."""
        self.since = self.ending = self.colour = None
        self.silent = self.by_silence = self.lapsed = False


class ThresholdTrack(Track):
    """A threshold, with all keys that it may have."""

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, Threshold)
        self._when, self._lasting = self.closure(condition.when), condition.lasting
        self._clear = self.closure(condition.clear) if condition.clear else None
        self._keep = condition.keep
        self._momentary = BY_ID[own.metric].occurs
        self._alert = own.rule.no_data is NoData.ALERT
        self._grades = [(self.closure(one.when), one.severity) for one in own.rule.grades]
        self._spells: dict[int, _Spell] = {}

    def from_the_start(self) -> Iterable[Key]:
        if not self._alert or self._momentary:
            return ()
        keys = [key for key in self.slot if key not in self.away]
        for key in keys:
            self._spells[key] = _Spell()
        self.watch(keys)
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
            self._occur(device, time, value)
        elif (
            true or spell.pending is not None or spell.since is not None
        ) and device not in self.away:
            self._apply(spell, device, time, value, true=true)
        spell.judged = time
        spell.value = value

    def _occur(self, device: int, time: Micros, value: float) -> None:
        if device not in self.away and self.is_active(time):
            colour = self._colour(device, value)
            self._say(Change.FIRED, Cause.OCCURRED, device, (time, time), value, colour)

    def _apply(
        self, spell: _Spell, device: int, time: Micros, value: float, *, true: bool | None
    ) -> None:
        if spell.by_silence and spell.since is not None and time <= spell.since:
            return
        self._advance(spell, device, time)
        if true:
            self._apply_true(spell, device, time, value)
        else:
            spell.pending = None
            self._apply_other(spell, device, time, value, false=true is False)
        if self._grades:
            self._grade(spell, device, time, value)
        self._rest(spell, device)

    def _rest(self, spell: _Spell, device: int) -> None:
        """A silence of who is well does not matter."""
        if spell.since is None and spell.pending is None and not self._alert:
            self.unwatch((device,))

    def _apply_true(self, spell: _Spell, device: int, time: Micros, value: float) -> None:
        spell.by_silence = spell.lapsed = False
        spell.ending = None
        if spell.pending is None:
            spell.pending = time
            self.watch((device,))
        if spell.since is None and self.due(spell.pending, self._lasting) == time:
            self._fire(spell, device, time, value)

    def _apply_other(
        self, spell: _Spell, device: int, time: Micros, value: float, *, false: bool
    ) -> None:
        if spell.since is None:
            return
        if spell.by_silence or spell.lapsed:
            self._end(spell, device, time, value, Cause.HEARD)
        elif not (self._clear(value, device) if self._clear else false):
            spell.ending = None
        elif self._keep:
            spell.ending = time if spell.ending is None else spell.ending
        else:
            self._end(spell, device, time, value, Cause.CONDITION_ENDED)

    def _fire(self, spell: _Spell, device: int, at: Micros, value: float | None) -> None:
        assert spell.pending is not None
        assert value is not None
        spell.since, spell.colour = spell.pending, self._colour(device, value)
        span = (spell.since, at)
        self._say(Change.FIRED, Cause.CONDITION_HELD, device, span, value, spell.colour)

    def _end(
        self, spell: _Spell, device: int, at: Micros, value: float | None, cause: Cause
    ) -> None:
        assert spell.since is not None
        self._say(Change.CLEARED, cause, device, (spell.since, at), value, spell.colour)
        spell.end()

    def _colour(self, device: int, value: float) -> Severity | None:
        return next((grave for holds, grave in self._grades if holds(value, device)), None)

    def _grade(self, spell: _Spell, device: int, time: Micros, value: float) -> None:
        if spell.since is None:
            return
        own = self.rule.severity
        colour = self._colour(device, value) or own
        if colour is not (spell.colour or own):
            spell.colour = colour
            span, why = (spell.since, time), Cause.VALUE_CHANGED
            self._say(Change.GRADED, why, device, span, value, colour)

    def _advance(self, spell: _Spell, device: int, time: Micros) -> None:
        """Fire or end what had lasted for long enough by then, heard to its end."""
        if spell.since is None:
            if spell.pending is not None:
                due = self.due(spell.pending, self._lasting)
                if due <= time and due <= self.silent_at(device):
                    self._fire(spell, device, due, spell.value)
        elif spell.ending is not None:
            due = spell.ending + self._keep
            if due <= time and due <= self.silent_at(device):
                self._end(spell, device, due, spell.value, Cause.CONDITION_ENDED)

    def _fall_silent(self, spell: _Spell, device: int, at: Micros) -> None:
        if spell.since is not None and not spell.silent and not spell.by_silence:
            spell.silent = True
            why, span = Cause.SENSOR_SILENT, (spell.since, at)
            self._say(Change.WENT_SILENT, why, device, span, spell.value, spell.colour)

    def _raise(self, spell: _Spell, device: int, silent_at: Micros, before: Micros) -> None:
        if spell.since is None and self._alert:
            at = self.due(silent_at, 0)
            if at < before:
                spell.since = self.ears.by_device[device].said(beats=self.beats)
                spell.by_silence = True
                span, why = (spell.since, at), Cause.SENSOR_SILENT
                self._say(Change.FIRED, why, device, span, spell.value, None)

    def returned(self, device: int, time: Micros) -> None:
        spell, at = self._spells[device], self.silent_at(device)
        if time > at:
            self._advance(spell, device, time)
            self._fall_silent(spell, device, at)
            if at == self.ears.by_device[device].own_at(beats=self.beats):
                self._raise(spell, device, at, time)
            spell.pending = spell.ending = None
            spell.lapsed = spell.since is not None and self.rule.no_data is NoData.CLEAR
        if spell.silent and spell.since is not None:
            spell.silent = False
            span = (spell.since, time)
            self._say(Change.HEARD_AGAIN, Cause.HEARD, device, span, spell.value, spell.colour)
        self._rest(spell, device)

    def tick(self, key: Key, now: Micros) -> Micros:
        spell, lag = self._spells[key], self.ears.by_device[key].lag
        theirs = now - lag
        silent_at = self.silent_at(key)
        missed_at = self.ears.missed_at(key, beats=self.beats) if self._alert else FOREVER
        self._advance(spell, key, theirs)
        if theirs > silent_at:
            self._fall_silent(spell, key, silent_at)
        if theirs > missed_at:
            self._raise(spell, key, missed_at, theirs)
        self._rest(spell, key)
        return self._next(spell, silent_at, missed_at) + lag

    def _next(self, spell: _Spell, silent_at: Micros, missed_at: Micros) -> Micros:
        """The next moment of the device's time at which something may be due."""
        if spell.since is not None:
            ends = FOREVER if spell.ending is None else spell.ending + self._keep
            ends = ends if ends <= silent_at else FOREVER
            return min(ends, FOREVER if spell.silent or spell.by_silence else silent_at + 1)
        due = FOREVER if spell.pending is None else self.due(spell.pending, self._lasting)
        missed = FOREVER if missed_at == FOREVER else self.due(missed_at, 0) + 1
        return min(due if due <= silent_at else FOREVER, missed)

    def _say(  # noqa: PLR0917
        self,
        change: Change,
        cause: Cause,
        device: int,
        span: tuple[Micros, Micros],
        value: float | None,
        colour: Severity | None,
    ) -> None:
        self.say(change, cause, device, span, value=value, devices=(device,), colour=colour)
