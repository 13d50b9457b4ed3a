"""Parts that the conditions of several kinds of rule have in common, read from a rule file."""

import math
import re

from devices.metric import BY_NAME, Metric, MetricKind
from rules.entry import Entry
from rules.expression import Expression
from rules.model import Judging, Per, SubjectKind
from rules.soundness import contradiction, satisfiable

_MOST = 1e6
"""No index and no deviation is tried that is higher."""

_AREA_KIND = re.compile(r"[a-z][a-z0-9_]*")


def over_value(entry: Entry, key: str, metric: Metric | None) -> Expression | None:
    """The condition over the watched metric in this field; it must be possible at all."""
    expression = entry.expression(key, [metric.name] if metric else BY_NAME)
    if expression and metric and not satisfiable(metric, expression):
        limits = f"{metric.name} lies between {metric.low:g} and {metric.high:g} {metric.unit}"
        entry.complain(key, f"{expression.text!r} can never be true", limits)
    return expression


def required(entry: Entry, key: str, example: str) -> bool:
    """Whether this field is there; noted where it is not."""
    if entry.data.get(key) is None:
        entry.complain(key, "is missing", f"write e.g. {key}: {example}")
        return False
    return True


def read_per(entry: Entry, *, area: bool, default: SubjectKind = SubjectKind.DEVICE) -> Per | None:
    """Whose readings are judged together. area: whether kinds of area are possible."""
    if "per" not in entry.data:
        return Per(default)
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


def number(entry: Entry, key: str) -> float:
    """A number of at least 0; 0, noted, where it is something else."""
    value = entry.data.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        entry.complain(key, f"{value!r} is not a number of at least 0")
        return 0.0
    return float(value)


def judging_over(entry: Entry, name: str, example: str) -> Judging | None:
    """`when`, `clear`, `for` and `keep_for` over a number of at least 0 that is called so."""
    required(entry, "when", example)
    when, clear = _over(entry, "when", name), _over(entry, "clear", name)
    anything = Metric(0, name, "", MetricKind.GAUGE, 0, _MOST, name, name)
    for key, expression in (("when", when), ("clear", clear)):
        if expression and not satisfiable(anything, expression):
            entry.complain(key, f"{expression.text!r} can never be true", f"{name} is 0 or more")
    if when and clear and (both := contradiction(anything, when, clear)):
        what = f"contradicts 'when': {both} would both raise and clear the alert"
        entry.complain("clear", what, "leave a distance between the two")
    lasting, keep = entry.duration("for", least=0), entry.duration("keep_for", least=0)
    return Judging(when, clear, lasting, keep) if when else None


def _over(entry: Entry, key: str, name: str) -> Expression | None:
    expression = entry.expression(key, [name])
    if expression and expression.attributes:
        entry.complain(key, f"{name} is not of one device, so there is no 'device.…'")
        return None
    return expression
