"""Conditions on a value: `spo2 <= 91`, `parking_free < 0.05 * device.capacity and value >= 0`.

Parsed by a grammar into the typed tree of `rules.tree`; nothing is ever evaluated as Python.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from lark import Lark, Token, Tree, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from devices.metric import BY_NAME
from devices.reading import Bool
from devices.suggest import did_you_mean
from rules.errors import Complaint, ExpressionError
from rules.tree import (
    TERMS,
    Arithmetic,
    Attribute,
    Attributes,
    Both,
    Compare,
    Condition,
    Either,
    Judged,
    Node,
    Not,
    Number,
    Term,
    Truth,
    Value,
    Values,
    walk,
)

MAX_CHARACTERS = 1_000
MAX_DEPTH = 60
VALUE = "value"
"""The name that stands for the watched metric, whichever it is."""

_GRAMMAR = Lark(
    r"""
    ?start: either
    ?either: both | either "or" both -> or_
    ?both: negation | both "and" negation -> and_
    ?negation: comparison | NOT negation -> not_
    ?comparison: sum | sum COMPARE sum -> compare
    ?sum: product | sum (PLUS | MINUS) product -> arithmetic
    ?product: sign | product (TIMES | OVER) sign -> arithmetic
    ?sign: atom | MINUS sign -> negative
    ?atom: NUMBER -> number | TRUE -> true | FALSE -> false
         | NAME -> value | "device" "." NAME -> attribute
         | "(" either ")"
    NOT: "not"
    TRUE: "true"
    FALSE: "false"
    COMPARE: "<=" | ">=" | "==" | "!=" | "<" | ">"
    PLUS: "+"
    MINUS: "-"
    TIMES: "*"
    OVER: "/"
    NUMBER: /\d+(\.\d+)?([eE][-+]?\d+)?(?![\w.])/
    NAME: /[A-Za-z_]\w*/
    %ignore /[ \t\n]+/
    """,
    parser="lalr",
    propagate_positions=True,
)

_MEANT = {"=": "==", "&": "and", "|": "or", "!": "not", "≤": "<=", "≥": ">=", "%": "/ 100 *"}


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition: `text` as written, `root` as understood. Equal if its text is."""

    text: str
    root: Condition

    @property
    def metrics(self) -> frozenset[str]:
        """The metric names it uses, 'value' among them if it says so."""
        return frozenset(n.name for n in walk(self.root) if isinstance(n, Value))

    @property
    def attributes(self) -> frozenset[str]:
        """The NAMEs it uses as `device.NAME`."""
        return frozenset(n.name for n in walk(self.root) if isinstance(n, Attribute))

    @property
    def constants(self) -> tuple[float, ...]:
        """The numbers written in it, ascending."""
        return tuple(sorted({n.value for n in walk(self.root) if isinstance(n, Number)}))

    def evaluate(self, values: Values, attributes: Attributes) -> Bool:
        """Where it is certainly true: bool (n,) for numbers (n,), one for all names or by name.

        What is undefined (a division by zero, a NaN) is not true, and neither is its opposite.
        """
        return self.judge(values, attributes)[0]

    def judge(self, values: Values, attributes: Attributes) -> Judged:
        """Where it is certainly true and where certainly false: two bool (n,)."""
        with np.errstate(all="ignore"):
            return self.root.judge(values, attributes)


def parse(text: str, names: Iterable[str] | None = None) -> Expression:
    """The condition that this text states; ExpressionError with every complaint and its column.

    names: what may stand for the value beside 'value'; by default every metric's name.
    """
    if len(text) > MAX_CHARACTERS:
        what = f"has {len(text)} characters, more than {MAX_CHARACTERS}"
        raise ExpressionError(f"{text[:40]}…", [Complaint(1, what)])
    try:
        tree = _GRAMMAR.parse(text)
    except UnexpectedInput as error:
        raise ExpressionError(text, [_misread(text, error)]) from None
    builder = _Builder(frozenset(BY_NAME if names is None else names) | {VALUE})
    root = builder.condition(tree, 0)
    if builder.complaints:
        raise ExpressionError(text, builder.complaints)
    return Expression(text, root)


def _misread(text: str, error: UnexpectedInput) -> Complaint:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return Complaint(len(text) + 1, "the expression ends too early")
    if isinstance(error, UnexpectedToken):
        hint = "join two comparisons with 'and'" if error.token.type == "COMPARE" else ""
        return Complaint(error.column, f"{str(error.token)!r} is not expected here", hint)
    at = error.pos_in_stream if isinstance(error, UnexpectedCharacters) else 0
    character = text[at or 0]
    meant = f"did you mean {_MEANT[character]!r}?" if character in _MEANT else ""
    return Complaint(error.column, f"{character!r} is not expected here", meant)


class _Builder:
    """Turns the grammar's tree into the typed one, noting complaints and going on."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names
        self.complaints: list[Complaint] = []

    def condition(self, tree: Tree[Token], depth: int) -> Condition:
        node = self._node(tree, depth)
        if isinstance(node, TERMS):
            self._complain(tree, "a number stands where a condition is needed", "compare it")
            return Truth(False)
        return node

    def term(self, tree: Tree[Token], depth: int) -> Term:
        node = self._node(tree, depth)
        if isinstance(node, Truth):
            return Number(float(node.value))
        if not isinstance(node, TERMS):
            self._complain(tree, "a condition stands where a number is needed")
            return Number(0.0)
        return node

    def _node(self, tree: Tree[Token], depth: int) -> Node:
        if depth > MAX_DEPTH:
            self._complain(tree, f"nested more than {MAX_DEPTH} deep", "split the rule in two")
            return Truth(False)
        if tree.data in {"or_", "and_", "not_"}:
            return self._joined(tree, depth + 1)
        if tree.data in {"compare", "arithmetic", "negative"}:
            return self._computed(tree, depth + 1)
        return self._atom(tree)

    def _joined(self, tree: Tree[Token], depth: int) -> Condition:
        parts = [self.condition(t, depth) for t in tree.children if isinstance(t, Tree)]
        if tree.data == "not_":
            return Not(parts[0])
        return (Both if tree.data == "and_" else Either)(*parts)

    def _computed(self, tree: Tree[Token], depth: int) -> Node:
        sign = str(next(t for t in tree.children if isinstance(t, Token)))
        terms = [self.term(t, depth) for t in tree.children if isinstance(t, Tree)]
        if tree.data == "negative":
            return Arithmetic("-", Number(0.0), terms[0])
        return (Compare if tree.data == "compare" else Arithmetic)(sign, *terms)

    def _atom(self, tree: Tree[Token]) -> Node:
        word = str(tree.children[0])
        if tree.data == "number":
            return Number(float(word))
        if tree.data == "attribute":
            return Attribute(word)
        if tree.data in {"true", "false"}:
            return Truth(tree.data == "true")
        if word not in self.names:
            self._complain(tree, f"unknown name {word!r}", did_you_mean(word, self.names))
        return Value(word)

    def _complain(self, tree: Tree[Token], what: str, hint: str = "") -> None:
        self.complaints.append(Complaint(tree.meta.column, what, hint))
