"""Expressions as Python functions of one reading, for the plain loop: a small tree of closures."""

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from rules.expression import Expression
from rules.tree import Arithmetic, Attribute, Both, Compare, Condition, Not, Number, Term, Truth

Truths: TypeAlias = Callable[[Any, int], bool | None]
"""Of a value (or several) and a device: certainly true, certainly false, or neither (None)."""

_Numbers: TypeAlias = Callable[[Any, int], float]
_Attributes: TypeAlias = Mapping[str, Mapping[int, float]]


class _Scope(NamedTuple):
    """What names stand for: attributes of devices, and places among several numbers."""

    attributes: _Attributes
    places: Mapping[str, int]


_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
}


def _divided(left: float, right: float) -> float:
    if right:
        return left / right
    if left == 0 or math.isnan(left) or math.isnan(right):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


_OPERATIONS: Mapping[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
}


def compiled(expression: Expression, attributes: _Attributes) -> Truths:
    """The expression; attributes: by name, each device's number."""
    return _condition(expression.root, _Scope(attributes, {}))


def over_numbers(expression: Expression, names: Sequence[str]) -> Truths:
    """The expression as a function of a tuple of numbers, one for each of these names."""
    places = {name: place for place, name in enumerate(names)}
    return _condition(expression.root, _Scope({}, places))


def _condition(node: Condition, scope: _Scope) -> Truths:
    if isinstance(node, Truth):
        said = node.value
        return lambda _value, _device: said
    if isinstance(node, Not):
        inner = _condition(node.inner, scope)
        return _not(inner)
    if isinstance(node, Compare):
        return _compare(node, scope)
    left, right = _condition(node.left, scope), _condition(node.right, scope)
    return _both(left, right) if isinstance(node, Both) else _either(left, right)


def _not(inner: Truths) -> Truths:
    def negated(value: float, device: int) -> bool | None:
        said = inner(value, device)
        return None if said is None else not said

    return negated


def _both(left: Truths, right: Truths) -> Truths:
    def both(value: float, device: int) -> bool | None:
        one = left(value, device)
        if one is False:
            return False
        other = right(value, device)
        return other if one or other is False else None

    return both


def _either(left: Truths, right: Truths) -> Truths:
    def either(value: float, device: int) -> bool | None:
        one = left(value, device)
        if one:
            return True
        other = right(value, device)
        return other if one is False or other else None

    return either


def _compare(node: Compare, scope: _Scope) -> Truths:
    left, right = _term(node.left, scope), _term(node.right, scope)
    holds, low, high = _COMPARISONS[node.sign], -math.inf, math.inf
    if isinstance(node.right, Number) and not isinstance(node.left, (Arithmetic, Number)):
        bound = node.right.value

        def quick(value: float, device: int) -> bool | None:
            one = left(value, device)
            return holds(one, bound) if low < one < high else None

        return quick if math.isfinite(bound) else lambda _value, _device: None

    def compare(value: float, device: int) -> bool | None:
        one, other = left(value, device), right(value, device)
        return holds(one, other) if low < one < high and low < other < high else None

    return compare


def _term(node: Term, scope: _Scope) -> _Numbers:
    if isinstance(node, Number):
        number = node.value
        return lambda _value, _device: number
    if isinstance(node, Attribute):
        known = scope.attributes[node.name]
        return lambda _value, device: known.get(device, math.nan)
    if isinstance(node, Arithmetic):
        operate = _OPERATIONS[node.sign]
        left, right = _term(node.left, scope), _term(node.right, scope)
        return lambda value, device: operate(left(value, device), right(value, device))
    if node.name in scope.places:
        place = scope.places[node.name]
        return lambda value, _device: value[place]
    return lambda value, _device: value
