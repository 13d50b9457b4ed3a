"""Conditions over readings that are all finite numbers: with nothing unknown they need less work.

Most compare the value with numbers as written. Then who is not certainly true is certainly false,
and one mask says both.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from devices.reading import F64, Bool
from rules.expression import Expression
from rules.tree import COMPARISONS, Both, Compare, Condition, Either, Not, Number, Term, Value

Mask: TypeAlias = Callable[[F64], Bool]

_KEPT = 4_096
_MADE: dict[str, Mask | None] = {}
"""By the text of the expression: two of one text mean the same."""


def mask_of(expression: Expression) -> Mask | None:
    """Where the expression is true among finite values, (n,); None where it needs more than them.

    Everywhere else it is false.
    """
    try:
        return _MADE[expression.text]
    except KeyError:
        if len(_MADE) >= _KEPT:
            _MADE.clear()
        mask = _MADE[expression.text] = _mask(expression.root)
        return mask


def _mask(node: Condition) -> Mask | None:
    if isinstance(node, Compare):
        return _compared(node)
    if isinstance(node, Not):
        inner = _mask(node.inner)
        return None if inner is None else lambda values: ~inner(values)
    if isinstance(node, Both | Either):
        left, right = _mask(node.left), _mask(node.right)
        if left is None or right is None:
            return None
        if isinstance(node, Both):
            return lambda values: left(values) & right(values)
        return lambda values: left(values) | right(values)
    return None


def _compared(node: Compare) -> Mask | None:
    compare = COMPARISONS[node.sign]
    left, right = _number(node.left), _number(node.right)
    if isinstance(node.left, Value) and right is not None:
        return lambda values: compare(values, right)
    if isinstance(node.right, Value) and left is not None:
        return lambda values: compare(left, values)
    return None


def _number(node: Term) -> np.float64 | None:
    """The number as written; None for anything else, and for one too large to be finite."""
    if isinstance(node, Number) and np.isfinite(node.value):
        return np.float64(node.value)
    return None
