"""Parts that the conditions of several kinds of rule have in common, read from a rule file."""

from devices.metric import BY_NAME, Metric
from rules.entry import Entry
from rules.expression import Expression
from rules.soundness import satisfiable


def over_value(entry: Entry, key: str, metric: Metric | None) -> Expression | None:
    """The condition over the watched metric in this field; it must be possible at all."""
    expression = entry.expression(key, [metric.name] if metric else BY_NAME)
    if expression and metric and not satisfiable(metric, expression):
        limits = f"{metric.name} lies between {metric.low:g} and {metric.high:g} {metric.unit}"
        entry.complain(key, f"{expression.text!r} can never be true", limits)
    return expression
