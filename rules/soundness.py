"""Whether a threshold can mean what it says: tried on values that the metric can have.

The values are the numbers written in the rule and their neighbours, and points all over the
metric's physical range. Where the rule uses attributes of devices, these too take many values.
What is found is a proof by example; what is not found is not proven.
"""

import itertools

import numpy as np

from devices.metric import Metric
from devices.reading import F64
from rules.expression import Expression

_STEPS = 1_000
_ATTRIBUTES = (100.0, 1.0, 20.0, 1_000.0, 3.0, 0.5)
_MAX_COMBINATIONS = 216


def contradiction(metric: Metric, when: Expression, clear: Expression) -> str:
    """A value that makes the rule both true and cleared, as text; '' where none was found."""
    return _example(metric, (when, clear))


def satisfiable(metric: Metric, condition: Expression) -> bool:
    """Whether any physically possible value was found for which the condition holds."""
    return bool(_example(metric, (condition,)))


def _example(metric: Metric, conditions: tuple[Expression, ...]) -> str:
    values = _values(metric, conditions)
    names = sorted(set().union(*(c.attributes for c in conditions)))
    combinations = itertools.product(_numbers(conditions), repeat=len(names))
    for numbers in itertools.islice(combinations, _MAX_COMBINATIONS):
        attributes = dict(zip(names, numbers, strict=True))
        columns = {name: np.full(len(values), number) for name, number in attributes.items()}
        hits = np.logical_and.reduce([c.evaluate(values, columns) for c in conditions])
        if hits.any():
            given = "".join(f", device.{name} {number:g}" for name, number in attributes.items())
            return f"{metric.name} {_shortest(values[hits])}{given}"
    return ""


def _shortest(values: F64) -> str:
    """One of these as text, that is short and still the number that it was."""
    texts = [(f"{value:g}", value) for value in values.tolist()]
    exact = [text for text, value in texts if float(text) == value]
    return min(exact or [repr(value) for _, value in texts], key=len)


def _numbers(conditions: tuple[Expression, ...]) -> list[float]:
    constants = (number for c in conditions for number in c.constants)
    return list(dict.fromkeys([*_ATTRIBUTES, *constants]))


def _values(metric: Metric, conditions: tuple[Expression, ...]) -> F64:
    written = np.array([number for c in conditions for number in c.constants], np.float64)
    near = [written, np.nextafter(written, -np.inf), np.nextafter(written, np.inf)]
    small = np.geomspace(1e-3, max(abs(metric.low), abs(metric.high), 1.0), _STEPS)
    spread = np.linspace(metric.low, metric.high, _STEPS + 1)
    whole = np.arange(_STEPS, dtype=np.float64)
    values = np.unique(np.concatenate([*near, spread, small, -small, whole]))
    return values[(values >= metric.low) & (values <= metric.high)]
