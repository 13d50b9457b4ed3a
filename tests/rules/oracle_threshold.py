"""Thresholds as a plain loop over readings."""

from devices.instant import NEVER, Micros
from devices.metric import BY_ID
from rules.model import NoData, Severity, Threshold
from rules.plan import RulePlan
from rules.transition import Cause, Change, Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track


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
        self.floor: Micros = NEVER


class ThresholdTrack(Track):
    condition: Threshold

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
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
            spell.since, spell.by_silence = self.stream.said(subject.id, beats=self.beats), True
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
            if at == self.stream.own_at(device, beats=self.beats):
                self._raise(subject, at, time)
            spell.pending = spell.ending = None
            spell.lapsed = spell.since is not None and self.rule.no_data is NoData.CLEAR
            if spell.lapsed:
                spell.floor = max(spell.floor, self.stream.said(device, beats=self.beats))
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
        if row.time <= spell.floor:
            return  # nor what lapsed with one
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
                theirs = now - self.stream.lag[subject.id]
                self._advance(subject, theirs)
                self._finish(subject, theirs)
                silent_at = self.silent_at(subject.id)
                missed_at = self.stream.missed_at(subject.id, beats=self.beats)
                if theirs > silent_at:
                    self._fall_silent(subject, silent_at)
                if theirs > missed_at:
                    self._raise(subject, missed_at, theirs)


TRACKS[Threshold] = ThresholdTrack
