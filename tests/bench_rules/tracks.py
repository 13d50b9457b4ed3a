"""The plain loop of each kind of rule, and which rules it knows whole."""

from collections.abc import Mapping
from typing import Any

from devices.instant import Micros
from devices.metric import BY_NAME, MetricKind
from rules.model import (
    Absence,
    Correlation,
    CountInWindow,
    InARow,
    Measure,
    MeasureInWindow,
    Missing,
    Replaced,
    Score,
    Succession,
    Threshold,
    Without,
)
from rules.plan import RulePlan
from tests.bench_rules.absences import AbsenceTrack
from tests.bench_rules.cards import CardTrack
from tests.bench_rules.correlations import CorrelationTrack
from tests.bench_rules.counts import CountTrack
from tests.bench_rules.ears import Ears
from tests.bench_rules.joined import SuccessionTrack
from tests.bench_rules.measures import MeasureTrack
from tests.bench_rules.missing import MissingTrack
from tests.bench_rules.runs import RunTrack
from tests.bench_rules.scores import ScoreTrack
from tests.bench_rules.thresholds import ThresholdTrack
from tests.bench_rules.track import Track
from tests.bench_rules.without import WithoutTrack

TRACKS: Mapping[type[Any], type[Track]] = {
    Threshold: ThresholdTrack,
    Absence: AbsenceTrack,
    CountInWindow: CountTrack,
    InARow: RunTrack,
    Correlation: CorrelationTrack,
    Score: ScoreTrack,
    MeasureInWindow: MeasureTrack,
    Succession: SuccessionTrack,
    Missing: MissingTrack,
    Without: WithoutTrack,
    Replaced: CardTrack,
}
"""By the class of the condition."""


def judges(own: RulePlan) -> bool:
    """Whether the plain loop knows this kind of rule, and all keys that it has."""
    rule, condition = own.rule, own.rule.condition
    if rule.lateness or type(condition) not in TRACKS:
        return False
    if isinstance(condition, MeasureInWindow):
        counter = BY_NAME[rule.watch.metric].kind is MetricKind.COUNTER
        if condition.measure is Measure.DISTINCT:
            return False
        return counter or condition.measure is not Measure.RATE
    return True


def track_of(ears: Ears, own: RulePlan, number: int, now: Micros) -> Track:
    """The plain loop for this rule; KeyError for a kind that it does not know."""
    return TRACKS[type(own.rule.condition)](ears, own, number, now)
