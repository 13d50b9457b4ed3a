"""One subject's span over a derived number, slowly: what `rules.spans` must agree with."""

import numpy as np

from devices.instant import Micros
from rules.model import Judging, NoData
from rules.transition import Cause, Change, Subject
from tests.rules.oracle import Track


class SpanLoop:
    """Takes one number after another, None where unknown, and says what follows to its track."""

    def __init__(self, track: Track, subject: Subject, how: Judging) -> None:
        self.track, self.subject, self.how = track, subject, how
        self.value: float | None = None
        self.pending: Micros | None = None
        self.calm: Micros | None = None
        self.since: Micros | None = None
        self.silent = self.by_silence = False

    def until(self, time: Micros) -> None:
        """What lasted for long enough by then."""
        if self.since is None:
            if self.pending is not None and self.pending + self.how.lasting <= time:
                self._fire(self.pending, self.pending + self.how.lasting, Cause.CONDITION_HELD)
        elif self.calm is not None and self.calm + self.how.keep <= time:
            self._clear(self.calm + self.how.keep, Cause.CONDITION_ENDED)

    def take(self, time: Micros, value: float | None) -> None:
        self.until(time)
        if value is None:
            self._unknown(time)
            return
        self.value = value
        if self.silent:
            self.silent = False
            self._say(Change.HEARD_AGAIN, Cause.HEARD, time)
        if self._holds("when", value):
            self.by_silence, self.calm = False, None
            self.pending = time if self.pending is None else self.pending
            if self.how.lasting == 0 and self.since is None:
                self._fire(self.pending, time, Cause.CONDITION_HELD)
            return
        self.pending = None
        if self.since is None:
            self.calm = None
        elif self.by_silence:
            self._clear(time, Cause.HEARD)
        elif self._holds("clear", value):
            self.calm = time if self.calm is None else self.calm
            self.until(time) if self.how.keep == 0 else None
        else:
            self.calm = None

    def _holds(self, which: str, value: float) -> bool:
        numbers = np.array([value])
        if which == "when" or self.how.clear is None:
            true, false = self.how.when.judge(numbers, {})
            return bool((true if which == "when" else false)[0])
        return bool(self.how.clear.evaluate(numbers, {})[0])

    def _unknown(self, time: Micros) -> None:
        self.pending = self.calm = None
        if self.since is not None and not self.silent and not self.by_silence:
            self.silent = True
            self._say(Change.WENT_SILENT, Cause.SENSOR_SILENT, time)
        elif self.since is None and self.track.rule.no_data is NoData.ALERT:
            self.by_silence = True
            self._fire(time, time, Cause.SENSOR_SILENT)

    def _fire(self, since: Micros, at: Micros, cause: Cause) -> None:
        self.since = since
        self._say(Change.FIRED, cause, at)

    def _clear(self, at: Micros, cause: Cause) -> None:
        self._say(Change.CLEARED, cause, at)
        self.since = self.calm = None
        self.silent = self.by_silence = False

    def _say(self, change: Change, cause: Cause, at: Micros) -> None:
        assert self.since is not None
        self.track.say(change, cause, self.subject, (self.since, at), value=self.value)
