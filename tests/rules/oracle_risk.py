"""The risk index as a plain loop: every change and every hour of every area, from a history."""

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from devices.instant import HOUR, Micros
from devices.inventory import Inventory
from rules.model import RiskIndex, Severity, SubjectKind
from rules.plan import RulePlan
from rules.transition import Change, Subject, Transition
from tests.rules.oracle_core import TRACKS, Stream, Track
from tests.rules.oracle_quiet import of_a_moment
from tests.rules.oracle_spans import Point, Span


class RiskTrack(Track):
    """Judged after all other rules of a batch, by what these told."""

    def __init__(self, stream: Stream, own: RulePlan, now: Micros) -> None:
        super().__init__(stream, own, now)
        assert isinstance(own.rule.condition, RiskIndex)
        self.condition = own.rule.condition
        self.weights = dict(self.condition.weights)
        self.open: dict[Subject, dict[Severity, int]] = {s: defaultdict(int) for s in own.subjects}
        self.coming: dict[Subject, list[tuple[Micros, Severity, int]]] = defaultdict(list)
        self.history: dict[Subject, list[tuple[Micros, float]]] = {
            s: [(now, 0.0)] for s in own.subjects
        }
        self.spans = {s: Span(self, s, self.condition.judging) for s in own.subjects}
        self.judged = dict.fromkeys(own.subjects, now)
        self.colour: dict[tuple[str, Subject], Severity] = {}

    def say(self, *args: object, **more: object) -> None:
        super().say(*args, **{**more, "devices": []})  # type: ignore[arg-type]

    def judge_all(self, told: Iterable[Transition], now: Micros) -> None:
        """What the other rules have told in a batch, up to now."""
        now -= self.rule.lateness
        for transition in told:
            self._take(transition)
        for subject in self.own.subjects:
            self._advance(subject, now)
            self.spans[subject].until(now)

    def _take(self, told: Transition) -> None:
        categories, key = self.condition.categories, (told.rule.code, told.subject)
        if of_a_moment(told) or (categories and told.rule.category not in categories):
            return
        if told.change in {Change.GRADED, Change.CLEARED}:
            self._count(told, self.colour.pop(key), -1)
        if told.change in {Change.GRADED, Change.FIRED}:
            self.colour[key] = told.severity
            self._count(told, told.severity, 1)

    def _count(self, told: Transition, colour: Severity, number: int) -> None:
        inventory = self.stream.plan.whereabouts.inventory
        around = inventory.path(self._area(told.subject, inventory))
        for subject in self.own.subjects:
            if subject.id in around:
                self.coming[subject].append((told.at, colour, number))

    def _area(self, subject: Subject, inventory: Inventory) -> int:
        if subject.kind is SubjectKind.AREA:
            return subject.id
        if subject.kind is SubjectKind.HOUSEHOLD:
            return inventory.households[subject.id].area
        return inventory.devices[subject.id].area

    def _advance(self, subject: Subject, now: Micros) -> None:
        done = self.judged[subject]
        coming = sorted((max(at, done), s, n) for at, s, n in self.coming[subject])
        times = {at for at, _, _ in coming if at < now}
        if self.condition.over:
            first = done // HOUR + 1
            times |= {hour * HOUR for hour in range(first, -(-now // HOUR))}
        for time in sorted(times):
            for at, severity, number in coming:
                if at == time:
                    self.open[subject][severity] += number
            level = sum(self.weights.get(s, 0.0) * n for s, n in self.open[subject].items())
            self.history[subject].append((time, level))
            index = self._index(subject, time, level)
            numbers = {"index": index, "value": index}
            self.spans[subject].take([Point(time, numbers, index)])
            self.judged[subject] = time
        self.coming[subject] = [c for c in coming if c[0] >= now]

    def _index(self, subject: Subject, time: Micros, level: float) -> float:
        if not self.condition.over:
            return level
        end = time // HOUR * HOUR
        begin = max(end - self.condition.over, -(-self.known // HOUR) * HOUR)
        if begin >= end:
            return level
        mean = self._integral(subject, begin, end) / (end - begin)
        return max(0.0, level + self.condition.trend * (level - mean))

    def _integral(self, subject: Subject, begin: Micros, end: Micros) -> float:
        history = [*self.history[subject], (end, 0.0)]
        total = 0.0
        for (start, level), (stop, _) in pairwise(history):
            total += level * max(0, min(stop, end) - max(start, begin))
        return total


TRACKS[RiskIndex] = RiskTrack
