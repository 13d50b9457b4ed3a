"""A derived number of one subject, judged point by point; what `rules.spans` must agree with."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from devices.instant import NEVER, Micros
from rules.model import Judging, NoData, Severity
from rules.transition import Cause, Change, Subject
from tests.rules.oracle_core import Track, number_holds, number_is_not


class Point(NamedTuple):
    """From `time` on the numbers are these; None: unknown. value: that which is told."""

    time: Micros
    numbers: Mapping[str, float] | None
    value: float | None = None


class Span:
    """One subject of a rule."""

    def __init__(self, track: Track, subject: Subject, how: Judging) -> None:
        self.track, self.subject, self.how = track, subject, how
        self.away = subject in track.away
        self.heard: Micros = NEVER
        self.value: float | None = None
        self.colour = track.rule.severity
        self.told: Severity = self.colour
        self.pending: Micros | None = None
        self.calm: Micros | None = None
        self.since: Micros | None = None
        self.missed: Micros | None = None
        self.silent = self.by_silence = self.lapsed = False
        self.causes: Callable[[Micros], list[int] | None] = lambda _: None

    def take(self, points: list[Point]) -> None:
        """Points of one batch in any order; of one instant the last counts."""
        at: dict[Micros, Point] = {}
        for point in sorted(points, key=lambda p: p.time):
            at[max(point.time, self.heard)] = point
        for time, point in sorted(at.items()):
            if not self.away:
                self._apply(time, point)
            self.heard = time
            if point.numbers is not None:
                self.value, self.colour = point.value, self._colour(point.numbers)

    def until(self, time: Micros) -> None:
        """What is due by then."""
        if self.away:
            return
        if self.since is None and self.pending is not None:
            due = self.track.due(self.pending, self.how.lasting)
            if due <= time:
                self._fire(self.pending, due, self.value, self.colour)
        elif self.since is None and self.missed is not None:
            if (due := self.track.due(self.missed, 0)) < time:
                self._miss(self.missed, due)
        elif self.since is not None and self.calm is not None and self.calm + self.how.keep <= time:
            self._clear(self.calm + self.how.keep, self.value, Cause.CONDITION_ENDED)

    def _apply(self, time: Micros, point: Point) -> None:
        self.until(time)
        if point.numbers is None:
            self._unknown(time)
            return
        self.missed = None
        if self.silent:
            self.silent = False
            self._say(Change.HEARD_AGAIN, Cause.HEARD, time, point.value)
        if number_holds(self.how.when, point.numbers):
            self._true(time, point)
        else:
            self._other(time, point)
        colour = self._colour(point.numbers)
        if self.since is not None and colour is not self.told:
            self.told = colour
            self._say(Change.GRADED, Cause.VALUE_CHANGED, time, point.value)

    def _true(self, time: Micros, point: Point) -> None:
        assert point.numbers is not None
        self.by_silence, self.lapsed, self.calm = False, False, None
        self.pending = time if self.pending is None else self.pending
        if self.since is None and self.track.due(self.pending, self.how.lasting) == time:
            self._fire(self.pending, time, point.value, self._colour(point.numbers))

    def _other(self, time: Micros, point: Point) -> None:
        assert point.numbers is not None
        self.pending = None
        ends = (
            number_holds(self.how.clear, point.numbers)
            if self.how.clear
            else number_is_not(self.how.when, point.numbers)
        )
        if self.since is not None and (self.by_silence or self.lapsed):
            self._clear(time, point.value, Cause.HEARD)
        elif self.since is not None and ends:
            self.calm = time if self.calm is None else self.calm
            if self.how.keep == 0:
                self._clear(time, point.value, Cause.CONDITION_ENDED)
        else:
            self.calm = None

    def _unknown(self, time: Micros) -> None:
        no_data = self.track.rule.no_data
        self.pending = self.calm = None
        if self.since is not None and no_data is NoData.CLEAR:
            self.lapsed = True
        if self.since is not None and not self.silent and not self.by_silence:
            self.silent = True
            self._say(Change.WENT_SILENT, Cause.SENSOR_SILENT, time, self.value)
        elif self.since is None and no_data is NoData.ALERT:
            self.missed = time if self.missed is None else self.missed
            if self.track.due(self.missed, 0) == time:
                self._miss(self.missed, time)

    def _miss(self, since: Micros, at: Micros) -> None:
        """Raise an alert for the silence alone."""
        self.by_silence, self.missed = True, None
        self._fire(since, at, self.value, self.track.rule.severity, Cause.SENSOR_SILENT)

    def _colour(self, numbers: Mapping[str, float]) -> Severity:
        rule = self.track.rule
        holding = (g.severity for g in rule.grades if number_holds(g.when, numbers))
        return next(holding, rule.severity)

    def _fire(
        self,
        since: Micros,
        at: Micros,
        value: float | None,
        colour: Severity,
        cause: Cause = Cause.CONDITION_HELD,
    ) -> None:
        self.since, self.told = since, colour
        self._say(Change.FIRED, cause, at, value)

    def _clear(self, at: Micros, value: float | None, cause: Cause) -> None:
        self._say(Change.CLEARED, cause, at, value)
        self.since = self.calm = None
        self.silent = self.by_silence = self.lapsed = False

    def _say(self, change: Change, cause: Cause, at: Micros, value: float | None) -> None:
        assert self.since is not None
        span, ids = (self.since, at), self.causes(at)
        self.track.say(
            change, cause, self.subject, span, value=value, devices=ids, severity=self.told
        )
