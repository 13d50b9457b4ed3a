"""The risk index of an area in rule files: read, and written back."""

import math

from devices.instant import DAY, HOUR, Micros, format_duration
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.expression import Expression
from rules.model import Judging, Per, RiskIndex, Severity, SubjectKind, Watch
from rules.parts import read_per, required
from rules.writing import Fields, Render, per_text, texts

LONGEST_TREND: Micros = 31 * DAY
_KEYS = frozenset({"weights", "categories", "trend"})
_WATCHED = frozenset({"area"})


def read_index(entry: Entry, _watch: Watch | None) -> RiskIndex | None:
    """The condition, or None with every problem noted."""
    part = entry.part("index")
    if part is None:
        what = "write index: {weights: {red: 8, orange: 4, yellow: 2, blue: 1}}"
        if entry.data.get("index") is None:
            entry.complain("index", "is missing", what)
        return None
    part.refuse_others(_KEYS)
    weights, categories = _weights(part), part.words("categories")
    over, trend = _trend(part)
    per, judging = _per(entry), _judging(entry)
    watch = entry.part("watch")
    if watch is not None:
        watch.refuse_others(_WATCHED)
    if not (weights and per and judging):
        return None
    return RiskIndex(weights, tuple(sorted(categories)), over, trend, judging, per)


def _weights(part: Entry) -> tuple[tuple[Severity, float], ...]:
    inner = part.part("weights")
    if inner is None:
        if part.data.get("weights") is None:
            part.complain("weights", "is missing", "write {red: 8, orange: 4, yellow: 2, blue: 1}")
        return ()
    names = [str(s) for s in Severity]
    for key in inner.data.keys() - set(names):
        inner.complain(key, "is no colour", did_you_mean(str(key), names))
    weights = [(s, _number(inner, str(s))) for s in Severity if str(s) in inner.data]
    if not any(weight for _, weight in weights):
        part.complain("weights", "nothing has a weight above 0", "write e.g. {red: 8}")
        return ()
    return tuple((s, weight) for s, weight in weights if weight)


def _number(entry: Entry, key: str) -> float:
    value = entry.data.get(key)
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not isinstance(value, int | float) or not number or not 0 <= value < math.inf:
        entry.complain(key, f"{value!r} is not a number of at least 0")
        return 0.0
    return float(value)


def _trend(part: Entry) -> tuple[Micros, float]:
    inner = part.part("trend")
    if inner is None:
        return 0, 0.0
    inner.refuse_others({"over", "weight"})
    required(inner, "over", "7d")
    over = inner.duration("over", least=HOUR)
    if over and (over % HOUR or over > LONGEST_TREND):
        what = (
            f"{format_duration(over)} is not whole hours, at most {format_duration(LONGEST_TREND)}"
        )
        inner.complain("over", what)
    return over, _number(inner, "weight")


def _per(entry: Entry) -> Per | None:
    per = read_per(entry, area=True) if required(entry, "per", "grid") else None
    if per and per.subject is not SubjectKind.AREA:
        entry.complain("per", "an index is that of an area", "write e.g. grid or community")
        return None
    return per


def _judging(entry: Entry) -> Judging | None:
    required(entry, "when", "index >= 20")
    when, clear = _condition(entry, "when"), _condition(entry, "clear")
    lasting, keep = entry.duration("for", least=0), entry.duration("keep_for", least=0)
    return Judging(when, clear, lasting, keep) if when else None


def _condition(entry: Entry, key: str) -> Expression | None:
    expression = entry.expression(key, ["index"])
    if expression and expression.attributes:
        entry.complain(key, "an index is that of an area, which has no 'device.…'")
        return None
    return expression


def write_index(condition: RiskIndex, render: Render) -> Fields:
    """Its fields in a rule file."""
    judging = condition.judging
    index: Fields = {"weights": {str(s): weight for s, weight in condition.weights}}
    if condition.categories:
        index["categories"] = list(condition.categories)
    if condition.over:
        index["trend"] = {"over": format_duration(condition.over), "weight": condition.trend}
    fields: Fields = {"index": index, "per": per_text(condition.per)}
    if judging.lasting:
        fields["for"] = format_duration(judging.lasting)
    if judging.keep:
        fields["keep_for"] = format_duration(judging.keep)
    return fields | texts(render, when=judging.when, clear=judging.clear)
