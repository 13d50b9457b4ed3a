"""Measures over a window in rule files: read, and written back."""

import re
from dataclasses import replace

from devices.instant import SECOND, Micros, format_duration
from devices.metric import BY_NAME, Metric, MetricKind
from rules.entry import Entry
from rules.expression import Expression
from rules.model import Judging, Measure, MeasureInWindow, Per, SubjectKind, Watch
from rules.panes import usual_step
from rules.parts import over_value, read_per, required
from rules.soundness import contradiction, satisfiable
from rules.writing import Fields, Render, per_text, texts

MAX_PANES = 1_000

_NAMES = frozenset(str(measure) for measure in Measure)
_WORD = re.compile(r"[A-Za-z_]\w*")
_FAR = 1e12
_STATES = 2
"""Different values that a state has."""
_OF_COUNTERS = frozenset({Measure.RISE, Measure.RATE, Measure.ACTIVE_SHARE, Measure.DISTINCT})


def names_measure(entry: Entry) -> bool:
    """Whether the `when` of this rule names a measure."""
    when = entry.data.get("when")
    return isinstance(when, str) and not _NAMES.isdisjoint(_WORD.findall(when))


def read_measure(entry: Entry, watch: Watch | None) -> MeasureInWindow | None:
    """The condition, or None with every problem noted."""
    metric = BY_NAME[watch.metric] if watch else None
    within = entry.duration("within", least=SECOND)
    step = _step(entry, within)
    where = over_value(entry, "where", metric)
    per = read_per(entry, area=True)
    when = _over_measure(entry, "when")
    measure = _measure_of(entry, when) if when else None
    judging = _judging(entry, when, measure, metric)
    if measure and metric and per:
        _check(entry, measure, metric, per)
    if not (within and step and per and measure and judging):
        return None
    return MeasureInWindow(measure, within, step, where, judging, per)


def _step(entry: Entry, within: Micros) -> Micros:
    if "step" not in entry.data:
        return usual_step(within) if within else 0
    step = entry.duration("step", least=SECOND)
    if step and within and (within % step or within // step > MAX_PANES):
        what = f"{format_duration(step)} does not divide 'within' into 1 to {MAX_PANES} equal parts"
        entry.complain("step", what, f"leave it out, or write e.g. {format_duration(within)}")
    return step


def _over_measure(entry: Entry, key: str) -> Expression | None:
    required(entry, key, "mean >= 38") if key == "when" else None
    expression = entry.expression(key, sorted(_NAMES))
    if expression and expression.attributes:
        what = "a measure is of all devices of a subject, so 'device.…' cannot be used here"
        entry.complain(key, what, "use it in 'where'")
        return None
    return expression


def _measure_of(entry: Entry, when: Expression) -> Measure | None:
    if len(when.metrics) == 1:
        return Measure(next(iter(when.metrics)))
    names = ", ".join(sorted(when.metrics))
    entry.complain("when", f"{names} in one condition: a rule has one measure", "write two rules")
    return None


def _judging(
    entry: Entry, when: Expression | None, measure: Measure | None, metric: Metric | None
) -> Judging | None:
    clear = _over_measure(entry, "clear")
    lasting, keep = entry.duration("for", least=0), entry.duration("keep_for", least=0)
    if not (when and measure):
        return None
    if clear and clear.metrics != when.metrics:
        entry.complain("clear", f"{clear.text!r} is not over {measure} alone", "as in 'when'")
        return None
    if metric:
        _check_sense(entry, _range(measure, metric), when, clear)
    return Judging(when, clear, lasting, keep)


def _check_sense(entry: Entry, measure: Metric, when: Expression, clear: Expression | None) -> None:
    limits = f"{measure.name} lies between {measure.low:g} and {measure.high:g}"
    for key, expression in (("when", when), ("clear", clear)):
        if expression and not satisfiable(measure, expression):
            entry.complain(key, f"{expression.text!r} can never be true", limits)
    if clear and (example := contradiction(measure, when, clear)):
        what = f"contradicts 'when': {example} would both raise and clear the alert"
        entry.complain("clear", what, "leave a distance between the two")


def _range(measure: Measure, metric: Metric) -> Metric:
    """The measure as a quantity of its own, with what it can be."""
    if measure in {Measure.MEAN, Measure.MIN, Measure.MAX}:
        return replace(metric, name=str(measure))
    signed = measure is Measure.SUM and metric.low < 0
    signed |= measure is Measure.RATE and metric.kind is not MetricKind.COUNTER
    low, high = -_FAR if signed else 0.0, _FAR
    if measure is Measure.ACTIVE_SHARE:
        high = 1.0
    elif measure is Measure.DISTINCT and metric.kind is MetricKind.STATE:
        high = float(_STATES)
    return replace(metric, name=str(measure), low=low, high=high)


def _check(entry: Entry, measure: Measure, metric: Metric, per: Per) -> None:
    counter = metric.kind is MetricKind.COUNTER
    if counter and measure not in _OF_COUNTERS:
        what = f"'{metric.name}' is a counter, of which {measure} says nothing"
        entry.complain("when", what, "use rise, rate or active_share")
    if measure is Measure.RISE and not counter:
        what = f"'{metric.name}' is no counter, so it has no rise"
        entry.complain("when", what, "use rate, or max and min")
    if measure is Measure.RATE and not counter and per.subject is not SubjectKind.DEVICE:
        what = "the rate of what is measured is that of one device"
        entry.complain("per", what, "leave it out")


def write_measure(condition: MeasureInWindow, render: Render) -> Fields:
    """Its fields in a rule file."""
    judging = condition.judging
    fields: Fields = {
        "within": format_duration(condition.within),
        "per": per_text(condition.per),
    }
    if condition.step != usual_step(condition.within):
        fields["step"] = format_duration(condition.step)
    if judging.lasting:
        fields["for"] = format_duration(judging.lasting)
    if judging.keep:
        fields["keep_for"] = format_duration(judging.keep)
    where = texts(render, where=condition.where)
    return fields | texts(render, when=judging.when, clear=judging.clear) | where
