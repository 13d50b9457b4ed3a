"""Between which numbers the conditions of rules are certainly not true: most readings lie there."""

from collections.abc import Iterable
from math import inf, nextafter
from typing import NamedTuple, TypeAlias

from rules.expression import Expression
from rules.finite import constant
from rules.tree import Both, Compare, Condition, Not, Truth, Value

Ranges: TypeAlias = tuple[tuple[float, float], ...]
"""Finite numbers, both ends included, ascending, apart from one another."""

_MOST = nextafter(inf, 0.0)
_ALL: Ranges = ((-_MOST, _MOST),)
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

NOWHERE = (inf, -inf)
"""The range in which nothing lies."""


def calm_range(expressions: Iterable[Expression], low: float, high: float) -> tuple[float, float]:
    """The widest range of finite numbers, as far as it lies between `low` and `high`, where none
    of these holds, whatever the device; NOWHERE where there is none.
    """
    calm: Ranges = _ALL
    for expression in expressions:
        calm = _both(calm, _not(_truth(expression.root).may))
    return max(calm, key=lambda part: min(part[1], high) - max(part[0], low), default=NOWHERE)


class _Truth(NamedTuple):
    """Where a condition holds whatever the device, and where it may for some devices."""

    must: Ranges
    may: Ranges


def _truth(node: Condition) -> _Truth:
    if isinstance(node, Truth):
        return _Truth(_ALL, _ALL) if node.value else _Truth((), ())
    if isinstance(node, Compare):
        return _compared(node)
    if isinstance(node, Not):
        inner = _truth(node.inner)
        return _Truth(_not(inner.may), _not(inner.must))
    left, right = _truth(node.left), _truth(node.right)
    join = _both if isinstance(node, Both) else _either
    return _Truth(join(left.must, right.must), join(left.may, right.may))


def _compared(node: Compare) -> _Truth:
    left, right = constant(node.left), constant(node.right)
    if isinstance(node.left, Value) and right is not None:
        known = _beside(node.sign, float(right))
        return _Truth(known, known)
    if isinstance(node.right, Value) and left is not None:
        known = _beside(_MIRRORED[node.sign], float(left))
        return _Truth(known, known)
    return _Truth((), _ALL)


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


def _either(one: Ranges, other: Ranges) -> Ranges:
    return _not(_both(_not(one), _not(other)))


def _not(ranges: Ranges) -> Ranges:
    left: Ranges = _ALL
    for first, last in ranges:
        outside = _range(-_MOST, nextafter(first, -inf)) + _range(nextafter(last, inf), _MOST)
        left = _both(left, outside)
    return left
