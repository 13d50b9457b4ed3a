"""Conditions over numbers that are worked out at each reading, read from a rule file."""

from collections.abc import Mapping

import numpy as np

from devices.instant import HOUR, MINUTE, SECOND
from devices.metric import BY_NAME, Metric
from devices.reading import F64
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.expression import Expression
from rules.model import Correlation, InARow, Occupancy, Per, Score, SubjectKind, Watch
from rules.news2 import MOST, MOST_OF_ONE, PARAMETERS
from rules.parts import over_value, read_per, required
from rules.reading_judging import JUDGING_KEYS, read_judging
from rules.score import ASSUMABLE
from rules.soundness import contradiction

VALID = 12 * HOUR
"""For how long a parameter counts unless the rule says otherwise; our choice."""

SCORES = {"news2": PARAMETERS}
"""By name the metrics that a score is made of."""

SCORE_KEYS = JUDGING_KEYS | {"score", "valid", "assume"}

OCCUPANCY_KEYS = JUDGING_KEYS | {"share", "per", "known"}

KNOWN = 0.5
"""The least share of the devices whose word must be known; our choice."""

IN_A_ROW_KEYS = frozenset({"in_a_row", "when", "reset", "clear_after", "per"})

CORRELATION_KEYS = frozenset({"devices", "within", "when", "per"})

LONGEST_ROW = MOST_DEVICES = 1_000

_SIZES = (1, 2, 3, 5, 8, 10, 20, 50, 100, 1_000, 10_000, 100_000)
_STEPS = 200


def score_metrics(_entry: Entry) -> tuple[str, ...]:
    """Those that the score is made of."""
    return PARAMETERS


def read_score(entry: Entry, _watch: Watch | None) -> Score | None:
    """`score: news2` with its judging."""
    name = entry.text("score")
    if name is not None and name not in SCORES:
        entry.complain("score", f"{name!r} is not known", did_you_mean(name, SCORES))
    assume = entry.words("assume")
    for word in sorted(assume - ASSUMABLE.keys()):
        entry.complain("assume", f"{word!r} cannot be assumed", did_you_mean(word, ASSUMABLE))
    valid = entry.duration("valid", least=MINUTE) or VALID
    judging = read_judging(entry, "total >= 5 or single >= 3", _possible_scores())
    return Score(judging, valid, assume) if judging else None


def _possible_scores() -> Mapping[str, F64]:
    """Seven scores of at most 3 each make any total from the largest to seven times it."""
    total, single = (
        grid.ravel().astype(np.float64)
        for grid in np.meshgrid(np.arange(MOST + 1), np.arange(MOST_OF_ONE + 1))
    )
    fits = (single <= total) & (total <= single * len(PARAMETERS))
    total, single = total[fits], single[fits]
    return {"total": total, "single": single, "value": total}


def read_occupancy(entry: Entry, watch: Watch | None) -> Occupancy | None:
    """`share: <a state>` with its judging."""
    metric = BY_NAME[watch.metric] if watch else None
    required(entry, "share", "occupied == 1")
    where = over_value(entry, "share", metric)
    if metric and metric.occurs:
        what = f"'{metric.name}' is momentary: it is no state that a device is in"
        entry.complain("share", what, "count it: within: …, when: count >= …")
    per, known = _group(entry), _known(entry)
    judging = read_judging(entry, "share >= 0.95", _possible_numbers(entry))
    return Occupancy(where, judging, per, known) if where and judging and per else None


def _group(entry: Entry) -> Per | None:
    """Whose devices are taken together: not a device by itself."""
    required(entry, "per", "building")
    per = read_per(entry, area=True)
    if per is not None and per.subject is SubjectKind.DEVICE and "per" in entry.data:
        hint = "write household or a kind of area, e.g. building"
        entry.complain("per", "'device' has one device only", hint)
    return per


def _known(entry: Entry) -> float:
    value = entry.data.get("known", KNOWN)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        entry.complain("known", f"{value!r} is not a share", "write a number above 0, at most 1")
        return KNOWN
    return float(value)


def _possible_numbers(entry: Entry) -> Mapping[str, F64]:
    """Of groups of many sizes; also of those that the rule's own numbers speak of."""
    written = [
        number
        for key in ("when", "clear")
        if (expression := entry.quietly(key, ("share", "number", "total")))
        for number in expression.constants
    ]
    near = [count + by for count in written if count >= 1 for by in (-1, 0, 1)]
    sizes = np.unique(np.round([size for size in (*_SIZES, *near) if size >= 1]))
    steps = np.unique(np.array([*np.linspace(0, 1, _STEPS + 1), *(w for w in written if w <= 1)]))
    numbers = np.unique(np.round(np.array([*near, 0.0])))
    total = np.concatenate([np.repeat(sizes, len(steps)), np.repeat(sizes, len(numbers))])
    number = np.concatenate(
        [np.round(np.outer(sizes, steps)).ravel(), np.tile(numbers, len(sizes))]
    )
    fits = (number >= 0) & (number <= total)
    number, total = number[fits], total[fits]
    return {"share": number / total, "number": number, "total": total, "value": number / total}


def read_in_a_row(entry: Entry, watch: Watch | None) -> InARow | None:
    """`in_a_row: N` with what counts and what resets."""
    metric = BY_NAME[watch.metric] if watch else None
    count = whole(entry, "in_a_row", least=2, most=LONGEST_ROW)
    required(entry, "when", "access_denied == 1")
    when = over_value(entry, "when", metric)
    per = read_per(entry, area=False)
    clear_after = entry.duration("clear_after", least=SECOND)
    reset_metric, reset = _reset(entry, metric)
    if metric and not entry.data.keys() & {"reset", "clear_after"} and metric.occurs:
        what = f"'{metric.name}' is momentary: nothing would ever end the row"
        entry.complain("in_a_row", what, "write reset: {metric: …}, or clear_after: 10m")
    if when and not reset_metric and reset and metric and contradiction(metric, when, reset):
        entry.complain("reset", f"{reset.text!r} can hold together with 'when'")
    return InARow(count, when, reset, reset_metric, clear_after, per) if when and per else None


def whole(entry: Entry, key: str, *, least: int, most: int) -> int:
    """A whole number within these bounds; the least, noted, where it is not."""
    value = entry.data.get(key)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        entry.complain(key, f"{value!r} is not a whole number from {least} to {most}")
        return least
    return value


def _reset(entry: Entry, metric: Metric | None) -> tuple[str, Expression | None]:
    """The metric that resets, '' for the watched one, and for which of its readings."""
    part = entry.part("reset") if isinstance(entry.data.get("reset"), dict) else None
    if part is None:
        return "", over_value(entry, "reset", metric)
    part.refuse_others({"metric", "where"})
    name = part.text("metric")
    if name is not None and name not in BY_NAME:
        part.complain("metric", f"unknown metric {name!r}", did_you_mean(name, BY_NAME))
    elif metric and name == metric.name:
        part.complain("metric", "is the watched one", "write reset: a condition on its value")
    other = BY_NAME.get(name or "")
    return name or "", over_value(part, "where", other)


def read_correlation(entry: Entry, watch: Watch | None) -> Correlation | None:
    """`devices: N` of which the same is heard within a time."""
    metric = BY_NAME[watch.metric] if watch else None
    devices = whole(entry, "devices", least=2, most=MOST_DEVICES)
    required(entry, "within", "10m")
    within = entry.duration("within", least=SECOND)
    required(entry, "when", "smoke == 1")
    when, per = over_value(entry, "when", metric), _group(entry)
    return Correlation(devices, within, when, per) if within and when and per else None
