"""Between which numbers the conditions of rules are certainly not true: most readings lie there."""

from collections.abc import Iterable
from math import inf, nextafter
from typing import TypeAlias

from rules.expression import Expression
from rules.finite import constant
from rules.tree import Both, Compare, Condition, Not, Truth, Value

Ranges: TypeAlias = tuple[tuple[float, float], ...]
"""Finite numbers, both ends included, ascending, none next to another."""

_MOST = nextafter(inf, 0.0)
_ALL: Ranges = ((-_MOST, _MOST),)
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

NOWHERE = (inf, -inf)
"""The range in which nothing lies."""


def calm_range(expressions: Iterable[Expression], low: float, high: float) -> tuple[float, float]:
    """The widest range of finite numbers, as far as it lies between `low` and `high`, where none
    of these holds; NOWHERE where there is none, or one of them needs more than the number.
    """
    calm: Ranges = _ALL
    for expression in expressions:
        true = _true(expression.root)
        if true is None:
            return NOWHERE
        calm = _both(calm, _not(true))
    return max(calm, key=lambda part: min(part[1], high) - max(part[0], low), default=NOWHERE)


def _true(node: Condition) -> Ranges | None:
    """Where it is true; None where that depends on more than the value."""
    if isinstance(node, Truth):
        return _ALL if node.value else ()
    if isinstance(node, Compare):
        return _compared(node)
    if isinstance(node, Not):
        inner = _true(node.inner)
        return None if inner is None else _not(inner)
    left, right = _true(node.left), _true(node.right)
    if left is None or right is None:
        return None
    if isinstance(node, Both):
        return _both(left, right)
    return _not(_both(_not(left), _not(right)))


def _compared(node: Compare) -> Ranges | None:
    left, right = constant(node.left), constant(node.right)
    if isinstance(node.left, Value) and right is not None:
        return _beside(node.sign, float(right))
    if isinstance(node.right, Value) and left is not None:
        return _beside(_MIRRORED[node.sign], float(left))
    return None


def _beside(sign: str, number: float) -> Ranges:
    """The values that compare so with this number."""
    below = _range(-_MOST, nextafter(number, -inf))
    above = _range(nextafter(number, inf), _MOST)
    here = _range(number, number)
    return {
        "<": below,
        "<=": _range(-_MOST, number),
        ">": above,
        ">=": _range(number, _MOST),
        "==": here,
        "!=": below + above,
    }[sign]


def _range(first: float, last: float) -> Ranges:
    first, last = max(first, -_MOST), min(last, _MOST)
    return ((first, last),) if first <= last else ()


def _both(one: Ranges, other: Ranges) -> Ranges:
    parts = (_range(max(a, c), min(b, d)) for a, b in one for c, d in other)
    return tuple(sorted(part for found in parts for part in found))


def _not(ranges: Ranges) -> Ranges:
    left: Ranges = _ALL
    for first, last in ranges:
        outside = _range(-_MOST, nextafter(first, -inf)) + _range(nextafter(last, inf), _MOST)
        left = _both(left, outside)
    return left
