"""Baselines in rule files: read, and written back."""

from devices.instant import DAY, MINUTE, Micros, format_duration
from devices.metric import BY_NAME, MetricKind
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.model import Baseline, Measure, Season, Severity, Watch
from rules.parts import judging_over, number, over_value, read_per, required
from rules.writing import Fields, Render, per_text, texts

_KEYS = frozenset({"of", "every", "season", "history", "least", "spread"})
_MEASURES = (Measure.MEAN, Measure.SUM, Measure.MIN, Measure.MAX, Measure.RISE)
_SHORTEST: Micros = 5 * MINUTE
MOST_VALUES = 60
LEAST_VALUES = 3


def read_baseline(entry: Entry, watch: Watch | None) -> Baseline | None:
    """The condition, or None with every problem noted."""
    part = entry.part("baseline")
    metric = BY_NAME[watch.metric] if watch else None
    where = over_value(entry, "where", metric)
    per = read_per(entry, area=True)
    judging = judging_over(entry, "deviation", "deviation >= 4")
    if entry.data.get("severity") != Severity.BLUE:
        what = "what is unusual is not for that dangerous: a baseline informs"
        entry.complain("severity", what, "write severity: blue")
    if part is None:
        if entry.data.get("baseline") is None:
            entry.complain("baseline", "is missing", "write {of: mean, every: 1h, season: week}")
        return None
    part.refuse_others(_KEYS)
    measure = _measure(part, counter=metric is not None and metric.kind is MetricKind.COUNTER)
    season = part.choice("season", Season, Season.WEEK)
    step, spread = _step(part), number(part, "spread") if "spread" in part.data else 0.0
    if season is None:
        return None
    values = _values(part, season)
    least = _least(part, values)
    if not (measure and step and values and least and judging and per):
        return None
    return Baseline(measure, step, season, values, least, spread, where, judging, per)


def _measure(part: Entry, *, counter: bool) -> Measure | None:
    word = part.text("of")
    names = [str(measure) for measure in _MEASURES]
    if word is None:
        return None
    if word not in names:
        part.complain("of", f"{word!r} is not known here", did_you_mean(word, names))
        return None
    if counter != (word == Measure.RISE):
        what = "of a counter only its rise can be usual" if counter else "only a counter has a rise"
        part.complain("of", what, "write rise" if counter else "write e.g. mean")
    return Measure(word)


def _step(part: Entry) -> Micros:
    required(part, "every", "1h")
    step = part.duration("every", least=_SHORTEST)
    if step and DAY % step:
        part.complain("every", f"{format_duration(step)} does not divide a day", "write e.g. 1h")
    return step


def _values(part: Entry, season: Season) -> int:
    length = DAY if season is Season.DAY else 7 * DAY
    required(part, "history", "4w")
    history = part.duration("history", least=length)
    values = history // length
    if history and (history % length or not LEAST_VALUES <= values <= MOST_VALUES):
        what = f"it must be {LEAST_VALUES} to {MOST_VALUES} times a {season}"
        part.complain("history", what, "write e.g. 4w")
    return values


def _least(part: Entry, values: int) -> int:
    if "least" not in part.data:
        return LEAST_VALUES
    least = part.data["least"]
    if isinstance(least, bool) or not isinstance(least, int) or not LEAST_VALUES <= least <= values:
        what = f"{least!r} is not a whole number from {LEAST_VALUES} to {values}"
        part.complain("least", what, "so many earlier values are needed")
        return 0
    return least


def write_baseline(condition: Baseline, render: Render) -> Fields:
    """Its fields in a rule file."""
    judging = condition.judging
    length = DAY if condition.season is Season.DAY else 7 * DAY
    baseline: Fields = {
        "of": str(condition.measure),
        "every": format_duration(condition.step),
        "season": str(condition.season),
        "history": format_duration(condition.values * length),
        "least": condition.least,
        "spread": condition.spread,
    }
    fields: Fields = {"baseline": baseline, "per": per_text(condition.per)}
    if judging.lasting:
        fields["for"] = format_duration(judging.lasting)
    if judging.keep:
        fields["keep_for"] = format_duration(judging.keep)
    where = texts(render, where=condition.where)
    return fields | texts(render, when=judging.when, clear=judging.clear) | where
