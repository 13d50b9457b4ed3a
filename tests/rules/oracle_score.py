"""NEWS2 once more, as the chart reads, and score rules as a plain loop over readings."""

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID
from rules.model import Score
from rules.plan import RulePlan
from rules.transition import Subject
from tests.rules.oracle_core import TRACKS, Row, Stream, Track
from tests.rules.oracle_spans import Point, Span

METRICS = (
    "breathing_rate",
    "spo2",
    "oxygen_flow",
    "systolic",
    "pulse",
    "consciousness",
    "body_temperature",
)


def respiration(rate: float) -> int:
    if rate <= 8 or rate >= 25:
        return 3
    if rate >= 21:
        return 2
    return 1 if rate <= 11 else 0


def oxygen_saturation(percent: float, *, oxygen: bool, scale_2: bool) -> int:
    if not scale_2:
        return 3 if percent <= 91 else 2 if percent <= 93 else 1 if percent <= 95 else 0
    if oxygen and percent >= 93:
        return 1 if percent <= 94 else 2 if percent <= 96 else 3
    return 3 if percent <= 83 else 2 if percent <= 85 else 1 if percent <= 87 else 0


def pressure(systolic: float) -> int:
    if systolic <= 90 or systolic >= 220:
        return 3
    return 2 if systolic <= 100 else 1 if systolic <= 110 else 0


def heart(rate: float) -> int:
    if rate <= 40 or rate >= 131:
        return 3
    if rate >= 111:
        return 2
    return 1 if rate <= 50 or rate >= 91 else 0


def warmth(celsius: float) -> int:
    if celsius <= 35:
        return 3
    if celsius >= 39.1:
        return 2
    return 1 if celsius <= 36 or celsius >= 38.1 else 0


def scores(known: dict[str, float], *, scale_2: bool) -> list[int]:
    """The score of each parameter; values as the chart writes them."""
    oxygen = known["oxygen_flow"] > 0
    return [
        respiration(known["breathing_rate"]),
        oxygen_saturation(known["spo2"], oxygen=oxygen, scale_2=scale_2),
        2 if oxygen else 0,
        pressure(known["systolic"]),
        heart(known["pulse"]),
        3 if known["consciousness"] > 0 else 0,
        warmth(known["body_temperature"]),
    ]


class Body:
    """What is known of one household."""

    def __init__(self, condition: Score, *, scale_2: bool) -> None:
        self.condition, self.scale_2 = condition, scale_2
        self.last: dict[str, tuple[Micros, float]] = {}

    def ends(self) -> Micros:
        """From when there is no total."""
        return min(self._ends(name) for name in METRICS)

    def _ends(self, name: str) -> Micros:
        word = {"oxygen_flow": "air", "consciousness": "alert"}.get(name)
        assumed = word in self.condition.assume
        if name not in self.last:
            return FOREVER if assumed else NEVER
        time, number = self.last[name]
        return FOREVER if assumed and number == 0 else time + self.condition.valid

    def numbers(self, time: Micros) -> dict[str, float] | None:
        if time >= self.ends():
            return None
        known = {name: self.last[name][1] if name in self.last else 0.0 for name in METRICS}
        single = scores(known, scale_2=self.scale_2)
        return {"total": sum(single), "single": max(single), "value": sum(single)}


class ScoreTrack(Track):
    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, Score)
        how = own.rule.condition.judging
        scale = stream.plan.attributes["spo2_scale"]
        self.spans = {subject: Span(self, subject, how) for subject in own.subjects}
        self.bodies = {
            subject: Body(
                own.rule.condition, scale_2=any(scale[d] == 2 for d in self.devices[subject])
            )
            for subject in own.subjects
        }
        self.rows: list[Row] = []

    def judge(self, row: Row) -> None:
        if row.device in self.subject:
            self.rows.append(row)

    def tick(self, now: Micros) -> None:
        points: dict[Subject, list[Point]] = {subject: [] for subject in self.spans}
        for row in self.rows:
            subject = self.subject[row.device]
            self._hear(row, subject, points[subject])
        self.rows = []
        for subject, span in self.spans.items():
            span.take(points[subject])
            theirs = now - max(self.stream.lag[d] for d in self.devices[subject])
            ends = self.bodies[subject].ends()
            if span.heard < ends < theirs:
                span.take([Point(ends, None)])
            span.until(theirs)

    def _hear(self, row: Row, subject: Subject, points: list[Point]) -> None:
        body, heard = self.bodies[subject], self.spans[subject].heard
        heard = max([heard, *(p.time for p in points)])
        name, at = BY_ID[row.metric].name, max(row.time, heard)
        if name in body.last and row.time <= body.last[name][0]:
            return
        if heard < body.ends() < at:
            points.append(Point(body.ends(), None))
        body.last[name] = row.time, row.value
        numbers = body.numbers(at)
        points.append(Point(at, numbers, None if numbers is None else numbers["total"]))


TRACKS[Score] = ScoreTrack
