"""The condition of a rule: a threshold, an absence, or a count in a window."""

import re

from devices.instant import SECOND
from devices.metric import BY_NAME, Metric
from rules.entry import Entry
from rules.expression import Expression
from rules.model import Absence, Condition, CountInWindow, Per, SubjectKind, Threshold, Watch
from rules.parts import over_value
from rules.soundness import contradiction
from rules.tree import Compare, Number, Value

CONDITION_KEYS = frozenset({"when", "clear", "for", "keep_for", "absent", "within", "where", "per"})
MAX_COUNT = 1_000

_THRESHOLD = frozenset({"when", "clear", "for", "keep_for"})
_ABSENCE = frozenset({"absent", "when", "per"})
_WINDOW = frozenset({"when", "within", "where", "per"})
_AREA_KIND = re.compile(r"[a-z][a-z0-9_]*")


def read_condition(entry: Entry, watch: Watch | None) -> Condition | None:
    """The rule's condition; None, with every problem noted, where it cannot be told.

    Where the metric is not known, what can be checked without it still is.
    """
    metric = BY_NAME[watch.metric] if watch else None
    if "absent" in entry.data:
        _refuse_foreign(entry, _ABSENCE, "an absence ('absent')")
        return _absence(entry, metric)
    if "within" in entry.data:
        _refuse_foreign(entry, _WINDOW, "a count in a window ('within')")
        return _window(entry, metric)
    _refuse_foreign(entry, _THRESHOLD, "a threshold")
    return _threshold(entry, metric)


def _refuse_foreign(entry: Entry, own: frozenset[str], name: str) -> None:
    for key in sorted((CONDITION_KEYS - own) & entry.data.keys()):
        entry.complain(key, f"does not belong to {name}", f"it has {', '.join(sorted(own))}")


def _threshold(entry: Entry, metric: Metric | None) -> Threshold | None:
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
    if entry.data.get("when") is None:
        entry.complain("when", "is missing", "write e.g. when: spo2 <= 91")
    return over_value(entry, "when", metric)


def _absence(entry: Entry, metric: Metric | None) -> Absence | None:
    when = over_value(entry, "when", metric)
    lasting = entry.duration("absent", least=SECOND)
    per = _per(entry, area=False)
    return Absence(when, lasting, per) if lasting and per else None


def _window(entry: Entry, metric: Metric | None) -> CountInWindow | None:
    count = _count(entry)
    within = entry.duration("within", least=SECOND)
    where = over_value(entry, "where", metric)
    per = _per(entry, area=True)
    return CountInWindow(count, within, where, per) if count and within and per else None


def _count(entry: Entry) -> int | None:
    """N of `when: count >= N` or `count > N - 1`."""
    if entry.data.get("when") is None:
        entry.complain("when", "is missing", "write e.g. when: count >= 5")
        return None
    expression = entry.expression("when", ["count"])
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


def _per(entry: Entry, *, area: bool) -> Per | None:
    if "per" not in entry.data:
        return Per(SubjectKind.DEVICE)
    word = entry.text("per")
    if word in {"device", "household"}:
        return Per(SubjectKind(word))
    if word is None:
        return None
    if area and word != "area" and _AREA_KIND.fullmatch(word):
        return Per(SubjectKind.AREA, word)
    known = "device, household or a kind of area, e.g. building" if area else "device or household"
    entry.complain("per", f"{word!r} cannot be the subject", f"write {known}")
    return None
