"""What an expression is made of: terms are numbers per reading, conditions are true or false.

A comparison with something that is not a number (a division by zero, an overflow, a missing value)
is neither true nor false, and so is what depends on it: conditions answer with two masks, and
`not` never turns 'unknown' into 'true'.
"""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.reading import F64, Bool

Attributes: TypeAlias = Mapping[str, F64]
"""The devices' attributes by name, each float64 (n,): the row's device's number."""

Values: TypeAlias = F64 | Mapping[str, F64]
"""Numbers to judge, float64 (n,): one for every name, or several by name."""

Judged: TypeAlias = tuple[Bool, Bool]
"""Masks (n,): certainly true, certainly false."""

_Numbers: TypeAlias = F64 | np.float64
_Operation: TypeAlias = Callable[[_Numbers, _Numbers], _Numbers]
_Comparison: TypeAlias = Callable[[_Numbers, _Numbers], npt.NDArray[np.bool_]]

OPERATIONS: Mapping[str, _Operation] = MappingProxyType(
    {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
)
COMPARISONS: Mapping[str, _Comparison] = MappingProxyType(
    {
        "<": operator.lt,
        "<=": operator.le,
        ">": operator.gt,
        ">=": operator.ge,
        "==": operator.eq,
        "!=": operator.ne,
    }
)


def _shape(values: Values) -> tuple[int, ...]:
    return (next(iter(values.values())) if isinstance(values, Mapping) else values).shape


@dataclass(frozen=True, slots=True)
class Number:
    """A number as written."""

    value: float

    def numbers(self, _values: Values, _attributes: Attributes) -> _Numbers:
        """The same number for every reading."""
        return np.float64(self.value)


@dataclass(frozen=True, slots=True)
class Value:
    """The reading's own number; `name` is the metric's, or 'value'."""

    name: str

    def numbers(self, values: Values, _attributes: Attributes) -> _Numbers:
        """The readings' numbers, or those of this name."""
        return values[self.name] if isinstance(values, Mapping) else values


@dataclass(frozen=True, slots=True)
class Attribute:
    """A number that the site file gives for the reading's device: `device.NAME`."""

    name: str

    def numbers(self, _values: Values, attributes: Attributes) -> _Numbers:
        """The attribute of each reading's device; KeyError where it was not handed in."""
        return attributes[self.name]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """Two terms joined by + - * or /."""

    sign: str
    left: "Term"
    right: "Term"

    def numbers(self, values: Values, attributes: Attributes) -> _Numbers:
        """The result per reading; not finite where it is undefined."""
        left = self.left.numbers(values, attributes)
        return OPERATIONS[self.sign](left, self.right.numbers(values, attributes))


@dataclass(frozen=True, slots=True)
class Truth:
    """`true` or `false` as written."""

    value: bool

    def judge(self, values: Values, _attributes: Attributes) -> Judged:
        """The same for every reading."""
        mask = np.full(_shape(values), self.value)
        return mask, ~mask


@dataclass(frozen=True, slots=True)
class Compare:
    """Two terms compared; unknown where either is not a finite number."""

    sign: str
    left: "Term"
    right: "Term"

    def judge(self, values: Values, attributes: Attributes) -> Judged:
        """Where the comparison is true, and where it is false."""
        left = self.left.numbers(values, attributes)
        right = self.right.numbers(values, attributes)
        known = np.isfinite(left) & np.isfinite(right)
        holds, shape = COMPARISONS[self.sign](left, right), _shape(values)
        if holds.shape != shape:
            holds = np.broadcast_to(holds, shape)
        return holds & known, ~holds & known


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite; unknown stays unknown."""

    inner: "Condition"

    def judge(self, values: Values, attributes: Attributes) -> Judged:
        """True and false exchanged."""
        true, false = self.inner.judge(values, attributes)
        return false, true


@dataclass(frozen=True, slots=True)
class Both:
    """`and`: false as soon as one side is."""

    left: "Condition"
    right: "Condition"

    def judge(self, values: Values, attributes: Attributes) -> Judged:
        """Where both sides are true, and where one is false."""
        left, right = self.left.judge(values, attributes), self.right.judge(values, attributes)
        return left[0] & right[0], left[1] | right[1]


@dataclass(frozen=True, slots=True)
class Either:
    """`or`: true as soon as one side is."""

    left: "Condition"
    right: "Condition"

    def judge(self, values: Values, attributes: Attributes) -> Judged:
        """Where one side is true, and where both are false."""
        left, right = self.left.judge(values, attributes), self.right.judge(values, attributes)
        return left[0] | right[0], left[1] & right[1]


Term: TypeAlias = Number | Value | Attribute | Arithmetic
Condition: TypeAlias = Truth | Compare | Not | Both | Either
Node: TypeAlias = Term | Condition
TERMS = (Number, Value, Attribute, Arithmetic)


def walk(node: Node) -> Iterator[Node]:
    """This node and all below it, the outer before the inner, the left before the right."""
    yield node
    if isinstance(node, Not):
        yield from walk(node.inner)
    elif isinstance(node, (Arithmetic, Compare, Both, Either)):
        yield from walk(node.left)
        yield from walk(node.right)
