"""The condition of a rule: which kind it is shows in its keys, and each kind has its reader."""

import re
from collections.abc import Callable
from typing import NamedTuple

from devices.instant import SECOND
from devices.metric import BY_NAME, Metric
from rules.entry import Entry
from rules.expecting import read_baseline
from rules.expression import Expression
from rules.indexing import read_index
from rules.measuring import names_measure, read_measure
from rules.model import Absence, Condition, CountInWindow, Measure, SubjectKind, Threshold, Watch
from rules.parts import over_value, read_per, required
from rules.reading_derived import (
    CORRELATION_KEYS,
    IN_A_ROW_KEYS,
    OCCUPANCY_KEYS,
    SCORE_KEYS,
    read_correlation,
    read_in_a_row,
    read_occupancy,
    read_score,
    score_metrics,
)
from rules.sequence_reading import (
    REPLACED_KEYS,
    SEQUENCE_KEYS,
    WITHOUT_KEYS,
    read_replaced,
    read_sequence,
    read_without,
    sequence_metrics,
    without_metrics,
)
from rules.soundness import contradiction
from rules.tree import Compare, Number, Value

MAX_COUNT = 1_000

_INTERVALS = re.compile(r"([1-9]\d{0,2}) intervals?")


class Reader(NamedTuple):
    """How a kind of condition is read.

    key: a rule that has it is of this kind · name: what people call it · keys: those that such a
    rule may have · read: the condition, or None with every problem noted; where the watched metric
    is not known, what can be checked without it still is · metrics: of kinds that state their
    metrics themselves, so that `watch` names none: what they are, as far as they can be told
    further: of others, the metrics that they watch beside that of `watch` · among: of kinds that
    share a key, whether such a rule is of this kind.
    """

    key: str
    name: str
    keys: frozenset[str]
    read: Callable[[Entry, Watch | None], Condition | None]
    metrics: Callable[[Entry], tuple[str, ...]] | None = None
    further: Callable[[Entry], tuple[str, ...]] | None = None
    among: Callable[[Entry], bool] | None = None


def reader_of(entry: Entry) -> Reader:
    """The reader of this rule's kind; keys of other kinds are noted."""
    reader = next((r for r in READERS if _is_of(r, entry)), THRESHOLD)
    for key in sorted((CONDITION_KEYS - reader.keys) & entry.data.keys()):
        hint = f"it has {', '.join(sorted(reader.keys))}"
        entry.complain(key, f"does not belong to {reader.name}", hint)
    return reader


def _is_of(reader: Reader, entry: Entry) -> bool:
    return reader.key in entry.data and (reader.among is None or reader.among(entry))


def _metric(watch: Watch | None) -> Metric | None:
    return BY_NAME[watch.metric] if watch else None


def _threshold(entry: Entry, watch: Watch | None) -> Threshold | None:
    metric = _metric(watch)
    when = _required_when(entry, metric)
    clear = over_value(entry, "clear", metric)
    lasting = entry.duration("for", least=0)
    keep = entry.duration("keep_for", least=0)
    if metric and metric.occurs:
        _refuse_of_momentary(entry, metric)
    elif metric and when and clear and (example := contradiction(metric, when, clear)):
        what = f"contradicts 'when': {example} would both raise and clear the alert"
        entry.complain("clear", what, "leave a distance between the two")
    return Threshold(when, clear, lasting, keep) if when else None


def _refuse_of_momentary(entry: Entry, metric: Metric) -> None:
    for key in ("clear", "for", "keep_for"):
        if key in entry.data:
            what = f"'{metric.name}' is momentary: each is an alert of its own, which a person ends"
            entry.complain(key, what, "leave it out")


def _required_when(entry: Entry, metric: Metric | None) -> Expression | None:
    required(entry, "when", "spo2 <= 91")
    return over_value(entry, "when", metric)


def _absence(entry: Entry, watch: Watch | None) -> Absence | None:
    metric = _metric(watch)
    when = over_value(entry, "when", metric)
    intervals = _intervals(entry)
    lasting = 0 if intervals else entry.duration("absent", least=SECOND)
    per = read_per(entry, area=False)
    if intervals and per and per.subject is not SubjectKind.DEVICE:
        what = f"'{entry.data['absent']}' are of one device, and a {per.subject} may have several"
        entry.complain("absent", what, "write a duration, e.g. 12h, or per: device")
    return Absence(when, lasting, per, intervals) if (lasting or intervals) and per else None


def _intervals(entry: Entry) -> int:
    """N of `absent: N intervals`; 0 where it is not written so."""
    match = _INTERVALS.fullmatch(str(entry.data.get("absent")))
    return int(match[1]) if match else 0


def _window(entry: Entry, watch: Watch | None) -> CountInWindow | None:
    metric = _metric(watch)
    count = _count(entry)
    within = entry.duration("within", least=SECOND)
    where = over_value(entry, "where", metric)
    per = read_per(entry, area=True)
    return CountInWindow(count, within, where, per) if count and within and per else None


def _count(entry: Entry) -> int | None:
    """N of `when: count >= N` or `count > N - 1`."""
    if not required(entry, "when", "count >= 5"):
        return None
    expression = entry.expression("when", ["count", *Measure])
    count = _least_count(expression) if expression else None
    if expression and count is None:
        hint = f"write 'count >= N' with N from 1 to {MAX_COUNT}; conditions go into 'where'"
        entry.complain("when", f"{expression.text!r} is not a number of readings to reach", hint)
    return count


def _least_count(expression: Expression) -> int | None:
    match expression.root:
        case Compare(sign=">=", left=Value(), right=Number(value=n)):
            count = n
        case Compare(sign=">", left=Value(), right=Number(value=n)):
            count = n + 1
        case _:
            return None
    return int(count) if count == int(count) and 1 <= count <= MAX_COUNT else None


THRESHOLD = Reader("", "a threshold", frozenset({"when", "clear", "for", "keep_for"}), _threshold)
"""The kind of a rule in which no key tells another."""

READERS = (
    Reader("first", "a sequence ('first')", SEQUENCE_KEYS, read_sequence, sequence_metrics),
    Reader("replaced", "replaced cards ('replaced')", REPLACED_KEYS, read_replaced),
    Reader(
        "without",
        "what had to come before ('without')",
        WITHOUT_KEYS,
        read_without,
        further=without_metrics,
    ),
    Reader("score", "a score ('score')", SCORE_KEYS, read_score, score_metrics),
    Reader("share", "an occupancy ('share')", OCCUPANCY_KEYS, read_occupancy),
    Reader("in_a_row", "several in a row ('in_a_row')", IN_A_ROW_KEYS, read_in_a_row),
    Reader("devices", "a correlation ('devices')", CORRELATION_KEYS, read_correlation),
    Reader(
        "baseline",
        "a baseline ('baseline')",
        frozenset({"baseline", "when", "clear", "for", "keep_for", "where", "per"}),
        read_baseline,
    ),
    Reader(
        "index",
        "a risk index ('index')",
        frozenset({"index", "when", "clear", "for", "keep_for", "per"}),
        read_index,
        metrics=lambda _entry: (),
    ),
    Reader("absent", "an absence ('absent')", frozenset({"absent", "when", "per"}), _absence),
    Reader(
        "within",
        "a measure over a window ('within')",
        frozenset({"when", "within", "where", "per", "clear", "for", "keep_for", "step"}),
        read_measure,
        among=names_measure,
    ),
    Reader(
        "within",
        "a count in a window ('within')",
        frozenset({"when", "within", "where", "per"}),
        _window,
    ),
)
"""The kinds that a key tells; the first whose key is there is meant. Without any: a threshold."""

CONDITION_KEYS = frozenset[str]().union(*(r.keys for r in (*READERS, THRESHOLD)))
