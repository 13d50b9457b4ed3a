"""A derived number of one subject, judged point by point; what `rules.spans` must agree with."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from devices.instant import NEVER, Micros
from rules.model import Judging, NoData, Severity
from rules.transition import Cause, Change, Subject
from tests.rules.oracle import Track, number_holds, number_is_not


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
        self.pending: Micros | None = None
        self.calm: Micros | None = None
        self.since: Micros | None = None
        self.silent = self.by_silence = False
        self.colour = track.rule.severity
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
            self.value = self.value if point.numbers is None else point.value

    def until(self, time: Micros) -> None:
        """What is due by then."""
        if self.away:
            return
        if self.since is None and self.pending is not None:
            if self.pending + self.how.lasting <= time:
                self._fire(self.pending, self.pending + self.how.lasting, self.value)
        elif self.since is not None and self.calm is not None and self.calm + self.how.keep <= time:
            self._clear(self.calm + self.how.keep, self.value, Cause.CONDITION_ENDED)

    def _apply(self, time: Micros, point: Point) -> None:
        self.until(time)
        if point.numbers is None:
            self._unknown(time)
            return
        if self.silent:
            self.silent = False
            self._say(Change.HEARD_AGAIN, Cause.HEARD, time, point.value)
        self._grade(time, point)
        if number_holds(self.how.when, point.numbers):
            self._true(time, point.value)
        else:
            self._other(time, point)

    def _grade(self, time: Micros, point: Point) -> None:
        """The colour of this number, told of an alert that this does not end."""
        before, self.colour = self.colour, self._colour_of(point)
        changed = self.since is not None and self.colour is not before
        if changed and (self.how.keep > 0 or not self._ends(point)):
            self._say(Change.GRADED, Cause.VALUE_CHANGED, time, point.value)

    def _colour_of(self, point: Point) -> Severity:
        assert point.numbers is not None
        rule = self.track.rule
        holding = [g.severity for g in rule.grades if number_holds(g.when, point.numbers)]
        return holding[0] if holding else rule.severity

    def _ends(self, point: Point) -> bool:
        """Whether `clear` holds, or where there is none, `when` certainly does not."""
        assert point.numbers is not None
        if number_holds(self.how.when, point.numbers):
            return False
        if self.how.clear:
            return number_holds(self.how.clear, point.numbers)
        return number_is_not(self.how.when, point.numbers)

    def _true(self, time: Micros, value: float | None) -> None:
        self.by_silence, self.calm = False, None
        self.pending = time if self.pending is None else self.pending
        if self.how.lasting == 0 and self.since is None:
            self._fire(self.pending, time, value)

    def _other(self, time: Micros, point: Point) -> None:
        self.pending = None
        ends = self._ends(point)
        if self.since is not None and self.by_silence:
            self._clear(time, point.value, Cause.HEARD)
        elif self.since is not None and ends:
            self.calm = time if self.calm is None else self.calm
            if self.how.keep == 0:
                self._clear(time, point.value, Cause.CONDITION_ENDED)
        else:
            self.calm = None

    def _unknown(self, time: Micros) -> None:
        self.pending = self.calm = None
        if self.since is not None and not self.silent and not self.by_silence:
            self.silent = True
            self._say(Change.WENT_SILENT, Cause.SENSOR_SILENT, time, self.value)
        elif self.since is None and self.track.rule.no_data is NoData.ALERT:
            self.by_silence = True
            self._fire(time, time, self.value, Cause.SENSOR_SILENT)

    def _fire(
        self,
        since: Micros,
        at: Micros,
        value: float | None,
        cause: Cause = Cause.CONDITION_HELD,
    ) -> None:
        self.since = since
        self._say(Change.FIRED, cause, at, value)

    def _clear(self, at: Micros, value: float | None, cause: Cause) -> None:
        self._say(Change.CLEARED, cause, at, value)
        self.since = self.calm = None
        self.silent = self.by_silence = False

    def _say(self, change: Change, cause: Cause, at: Micros, value: float | None) -> None:
        assert self.since is not None
        span = (self.since, at)
        self.track.say(
            change,
            cause,
            self.subject,
            span,
            value=value,
            devices=self.causes(at),
            severity=self.colour,
        )
