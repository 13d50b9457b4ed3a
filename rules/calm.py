"""Between which numbers the conditions of rules are certainly not true: most readings lie there."""

from collections.abc import Iterable, Mapping
from math import inf, isfinite, nextafter
from typing import NamedTuple, TypeAlias

import numpy as np

from rules.expression import Expression
from rules.tree import Attribute, Both, Compare, Condition, Not, Term, Truth, Value, walk

Ranges: TypeAlias = tuple[tuple[float, float], ...]
"""Finite numbers, both ends included, ascending, apart from one another."""

_MOST = nextafter(inf, 0.0)
_ALL: Ranges = ((-_MOST, _MOST),)
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

NOWHERE = (inf, -inf)
"""The range in which nothing lies."""


def calm_range(
    expressions: Iterable[Expression],
    low: float,
    high: float,
    attributes: Mapping[str, float] | None = None,
) -> tuple[float, float]:
    """The widest range of finite numbers, as far as it lies between `low` and `high`, where none
    of these holds for a device with these attributes, or without any for whatever device; NOWHERE
    where there is none.
    """
    calm, known = _ALL, attributes or {}
    for expression in expressions:
        calm = _both(calm, _not(_truth(expression.root, known).may))
    return max(calm, key=lambda part: min(part[1], high) - max(part[0], low), default=NOWHERE)


class _Truth(NamedTuple):
    """Where a condition certainly holds, and where it may, with what is known of the device."""

    must: Ranges
    may: Ranges


def _truth(node: Condition, known: Mapping[str, float]) -> _Truth:
    if isinstance(node, Truth):
        return _Truth(_ALL, _ALL) if node.value else _Truth((), ())
    if isinstance(node, Compare):
        return _compared(node, known)
    if isinstance(node, Not):
        inner = _truth(node.inner, known)
        return _Truth(_not(inner.may), _not(inner.must))
    left, right = _truth(node.left, known), _truth(node.right, known)
    join = _both if isinstance(node, Both) else _either
    return _Truth(join(left.must, right.must), join(left.may, right.may))


def _compared(node: Compare, known: Mapping[str, float]) -> _Truth:
    left, right = _number(node.left, known), _number(node.right, known)
    if isinstance(node.left, Value) and right is not None:
        true = _beside(node.sign, right)
    elif isinstance(node.right, Value) and left is not None:
        true = _beside(_MIRRORED[node.sign], left)
    else:
        return _Truth((), _ALL)
    return _Truth(true, true)


def _number(node: Term, known: Mapping[str, float]) -> float | None:
    """The finite number that a term without the value comes to; None where it does not."""
    names = {part.name for part in walk(node) if isinstance(part, Attribute)}
    if not names <= known.keys() or any(isinstance(part, Value) for part in walk(node)):
        return None
    given = {name: np.array([known[name]]) for name in names}
    with np.errstate(all="ignore"):
        number = float(np.asarray(node.numbers(np.zeros(1), given)).ravel()[0])
    return number if isfinite(number) else None


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
