"""A number that is worked out, judged: one subject's span, as rules.spans says it."""

from collections.abc import Iterable, Sequence
from typing import Any

from devices.instant import FOREVER, Micros
from rules.model import Judging, NoData, Severity
from rules.transition import Cause, Change
from tests.bench_rules.closures import Truths, compiled, over_numbers
from tests.bench_rules.track import Key, Track


class Judge:
    """How a rule judges its number: what all its spans share. names: of the numbers, if several."""

    def __init__(self, track: Track, how: Judging, names: Sequence[str] = ()) -> None:
        def closure(expression: Any) -> Truths:
            return over_numbers(expression, names) if names else compiled(expression, {})

        self.track, self.lasting, self.keep = track, how.lasting, how.keep
        self.when = closure(how.when)
        self.clear = closure(how.clear) if how.clear else None
        self.grades = [(closure(one.when), one.severity) for one in track.rule.grades]
        self.alert = track.rule.no_data is NoData.ALERT
        self.lapses = track.rule.no_data is NoData.CLEAR

    def colour(self, numbers: Any) -> Severity | None:
        """The gravest that holds; None: the rule's own."""
        own = self.track.rule.severity
        found = next((grave for holds, grave in self.grades if holds(numbers, 0)), own)
        return None if found is own else found


class Span:
    """One subject. numbers: what is judged, `value` of it what is told."""

    __slots__ = (
        "by_silence",
        "calm",
        "colour",
        "judge",
        "key",
        "lapsed",
        "missed",
        "pending",
        "silent",
        "since",
        "told",
        "value",
    )

    def __init__(self, judge: Judge, key: Key) -> None:
        self.judge, self.key = judge, key
        self.value: float | None = None
        self.pending: Micros | None = None
        self.calm: Micros | None = None
        self.since: Micros | None = None
        self.missed: Micros | None = None
        self.colour: Severity | None = None
        self.told: Severity | None = None
        self.silent = self.by_silence = self.lapsed = False

    @property
    def lively(self) -> bool:
        """Whether all is not well, or was not."""
        return self.since is not None or self.pending is not None or self.missed is not None

    def next_due(self) -> Micros:
        """When something has lasted for long enough, if nothing changes."""
        if self.since is not None:
            return FOREVER if self.calm is None else self.calm + self.judge.keep
        if self.pending is not None:
            return self.judge.track.due(self.pending, self.judge.lasting)
        if self.missed is not None:
            return self.judge.track.due(self.missed, 0) + 1
        return FOREVER

    def until(self, time: Micros) -> None:
        """What is due by then."""
        due = self.next_due()
        if due <= time:
            if self.since is None and self.pending is not None:
                self.told = self.colour
                self._fire(self.pending, due, self.value, Cause.CONDITION_HELD)
            elif self.since is None:
                assert self.missed is not None
                self._miss(self.missed, due - 1)
            else:
                self._end(due, self.value, Cause.CONDITION_ENDED)

    def take(self, time: Micros, numbers: Any, value: float) -> None:
        """From then on it is this."""
        true = self.judge.when(numbers, 0)
        if true or self.lively:
            self.until(time)
            if self.silent:
                self.silent = False
                self._say(Change.HEARD_AGAIN, Cause.HEARD, time, value)
            self.missed = None
            self.colour = self.judge.colour(numbers)
            if true:
                self._true(time, value)
            else:
                self._other(time, value, clear=self._clears(numbers, true=true))
            if self.since is not None and self.colour is not self.told:
                self.told = self.colour
                self._say(Change.GRADED, Cause.VALUE_CHANGED, time, value)
        self.value = value

    def _clears(self, numbers: Any, *, true: bool | None) -> bool:
        if true:
            return False
        if self.judge.clear:
            return bool(self.judge.clear(numbers, 0))
        return true is False

    def _true(self, time: Micros, value: float) -> None:
        self.by_silence = self.lapsed = False
        self.calm = None
        self.pending = time if self.pending is None else self.pending
        if self.since is None:
            due = self.judge.track.due(self.pending, self.judge.lasting)
            if due <= time:
                self.told = self.colour
                self._fire(self.pending, due, value, Cause.CONDITION_HELD)

    def _other(self, time: Micros, value: float, *, clear: bool) -> None:
        self.pending = None
        if self.since is not None and (self.by_silence or self.lapsed):
            self._end(time, value, Cause.HEARD)
        elif self.since is not None and clear:
            self.calm = time if self.calm is None else self.calm
            if self.judge.keep == 0:
                self._end(time, value, Cause.CONDITION_ENDED)
        else:
            self.calm = None

    def unknown(self, time: Micros) -> None:
        """From then on nobody knows."""
        if not (self.lively or self.judge.alert):
            return
        self.until(time)
        self.pending = self.calm = None
        if self.since is not None:
            if not self.silent and not self.by_silence:
                self.silent = True
                self._say(Change.WENT_SILENT, Cause.SENSOR_SILENT, time, self.value)
            self.lapsed = self.lapsed or self.judge.lapses
        elif self.judge.alert:
            self.missed = time if self.missed is None else self.missed
            if self.judge.track.due(self.missed, 0) == time:
                self._miss(self.missed, time)

    def _miss(self, since: Micros, at: Micros) -> None:
        """Raise an alert for the silence alone."""
        self.by_silence, self.missed, self.told = True, None, None
        self._fire(since, at, self.value, Cause.SENSOR_SILENT)

    def _fire(self, since: Micros, at: Micros, value: float | None, cause: Cause) -> None:
        self.since = since
        self._say(Change.FIRED, cause, at, value)

    def _end(self, at: Micros, value: float | None, cause: Cause) -> None:
        self._say(Change.CLEARED, cause, at, value)
        self.since = self.calm = None
        self.silent = self.by_silence = self.lapsed = False

    def _say(self, change: Change, cause: Cause, at: Micros, value: float | None) -> None:
        track = self.judge.track
        assert self.since is not None
        devices, span = self.causes(at), (self.since, at)
        track.say(change, cause, self.key, span, value=value, devices=devices, colour=self.told)

    def causes(self, at: Micros) -> Iterable[int]:  # noqa: ARG002
        """The devices that caused what is told of then."""
        return self.judge.track.devices_of(self.key)
