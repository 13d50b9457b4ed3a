"""The risk index of an area in rule files: read, and written back."""

from devices.instant import DAY, HOUR, Micros, format_duration
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Per, RiskIndex, Severity, SubjectKind, Watch
from rules.parts import judging_over, number, read_per, required
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
    per, judging = _per(entry), judging_over(entry, "index", "index >= 20")
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
    weights = [(s, number(inner, str(s))) for s in Severity if str(s) in inner.data]
    if not any(weight for _, weight in weights):
        part.complain("weights", "nothing has a weight above 0", "write e.g. {red: 8}")
        return ()
    return tuple((s, weight) for s, weight in weights if weight)


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
    return over, number(inner, "weight")


def _per(entry: Entry) -> Per | None:
    per = read_per(entry, area=True) if required(entry, "per", "grid") else None
    if per and per.subject is not SubjectKind.AREA:
        entry.complain("per", "an index is that of an area", "write e.g. grid or community")
        return None
    return per


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
