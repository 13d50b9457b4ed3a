"""The plain loop of NEWS2: what was last heard of each home, scored as its chart is written."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_NAME
from rules.model import SPO2_SCALE, Score
from rules.plan import RulePlan
from tests.bench_rules.ears import Ears
from tests.bench_rules.spans import Judge, Span
from tests.bench_rules.track import Key, Row, Track, again

_BREATHING, _SPO2, _OXYGEN, _SYSTOLIC, _PULSE, _CONSCIOUSNESS, _TEMPERATURE = (
    BY_NAME[name].id
    for name in (
        "breathing_rate",
        "spo2",
        "oxygen_flow",
        "systolic",
        "pulse",
        "consciousness",
        "body_temperature",
    )
)
_ASSUMED = {"air": _OXYGEN, "alert": _CONSCIOUSNESS}
_ALL = (_BREATHING, _SPO2, _OXYGEN, _SYSTOLIC, _PULSE, _CONSCIOUSNESS, _TEMPERATURE)

_BANDS: Mapping[int, tuple[list[int], tuple[int, ...]]] = {
    _BREATHING: ([8, 11, 20, 24], (3, 1, 0, 2, 3)),
    _SPO2: ([91, 93, 95], (3, 2, 1, 0)),
    _SYSTOLIC: ([90, 100, 110, 219], (3, 2, 1, 0, 3)),
    _PULSE: ([40, 50, 90, 110, 130], (3, 1, 0, 1, 2, 3)),
    _TEMPERATURE: ([350, 360, 380, 390], (3, 1, 0, 1, 2)),
}
"""Chart 1 of NEWS2 (Royal College of Physicians, 2017): up to which number, which score; the
temperature in tenths of a degree."""

_SCALE_2_ON_AIR = ([83, 85, 87], (3, 2, 1, 0))
_SCALE_2_ON_OXYGEN = ([83, 85, 87, 92, 94, 96], (3, 2, 1, 0, 1, 2, 3))


class _Body:
    """What is known of one home. heard: the time of its last point; moved: that is to be judged."""

    __slots__ = ("complete", "heard", "moved", "numbers", "scale_2", "scores", "span", "times")

    def __init__(self, span: Span, *, scale_2: bool) -> None:
        self.span, self.scale_2 = span, scale_2
        self.times: dict[int, Micros] = {}
        self.numbers: dict[int, float] = {}
        self.scores: dict[int, int] = {}
        self.heard: Micros = NEVER
        self.complete = self.moved = False

    def hear(self, metric: int, time: Micros, value: float) -> None:
        """A parameter."""
        self.times[metric], self.numbers[metric] = time, value
        if metric == _OXYGEN:
            self.scores[metric] = 2 if value > 0 else 0
        elif metric == _CONSCIOUSNESS:
            self.scores[metric] = 3 if value > 0 else 0
        else:
            upto, scores = _BANDS[metric]
            whole = round(value * 10 if metric == _TEMPERATURE else value)
            self.scores[metric] = scores[bisect_left(upto, whole)]
        if self.scale_2 and _SPO2 in self.numbers:
            on_oxygen = self.numbers.get(_OXYGEN, 0) > 0
            upto, scores = _SCALE_2_ON_OXYGEN if on_oxygen else _SCALE_2_ON_AIR
            self.scores[_SPO2] = scores[bisect_left(upto, round(self.numbers[_SPO2]))]


class ScoreTrack(Track):
    """NEWS2 of a home, at each reading of a parameter. Of one instant the last number counts."""

    whole = True

    def __init__(self, ears: Ears, own: RulePlan, number: int, now: Micros) -> None:
        super().__init__(ears, own, number, now)
        condition = own.rule.condition
        assert isinstance(condition, Score)
        self._valid = condition.valid
        self._assumed = {_ASSUMED[word] for word in condition.assume}
        self._needed = [metric for metric in _ALL if metric not in self._assumed]
        self._judge = Judge(self, condition.judging, ("value", "total", "single"))
        scale = ears.plan.attributes[SPO2_SCALE]
        self._on_scale_2 = {self.subject[one] for one in self.subject if scale[one] == 2}
        self._bodies: dict[Key, _Body] = {}
        self._touched: set[Key] = set()

    def read(self, row: Row) -> None:
        key = self.subject.get(row.device)
        if key is None or key in self.away:
            return
        body = self._bodies.get(key)
        if body is None:
            span = Span(self._judge, key)
            body = self._bodies[key] = _Body(span, scale_2=key in self._on_scale_2)
        time, metric = row.time, row.metric
        if time <= body.times.get(metric, NEVER):
            return
        if time > body.heard:
            if body.moved:
                self._point(body)
            until = self._counts_until(body)
            if body.heard < until < time:
                body.span.unknown(until)
            body.heard = time
        body.hear(metric, time, row.value)
        body.moved = True
        self._touched.add(key)

    def _point(self, body: _Body) -> None:
        """From `heard` on the number is what it is now."""
        body.moved = False
        if body.heard < self._counts_until(body):
            scores = body.scores.values()
            total = sum(scores)
            body.span.take(body.heard, (total, total, max(scores)), float(total))
        else:
            body.span.unknown(body.heard)

    def _counts_until(self, body: _Body) -> Micros:
        """From when there is no total unless more is heard; NEVER where there is none."""
        times = body.times
        if not body.complete:
            body.complete = all(metric in times for metric in self._needed)
            if not body.complete:
                return NEVER
        until = min([times[metric] for metric in self._needed]) + self._valid
        for metric in self._assumed:
            if body.numbers.get(metric, 0) != 0:
                until = min(until, times[metric] + self._valid)
        return until

    def take_changed(self) -> Iterable[Key]:
        touched, self._touched = self._touched, set()
        return touched

    def tick(self, key: Key, now: Micros) -> Micros:
        body = self._bodies[key]
        if body.moved:
            self._point(body)
        until, span = self._counts_until(body), body.span
        if until == NEVER and not span.lively:
            return FOREVER
        theirs = now - self.lag(self.devices_of(key))
        if body.heard < until < theirs:
            span.unknown(until)
            body.heard = until
        span.until(theirs)
        ends = until + 1 if body.heard < until else FOREVER
        moment = min(ends, span.next_due())
        return FOREVER if moment >= FOREVER else again(moment, now)
