"""Expressions: what they mean, and what is said of those that mean nothing."""

import numpy as np
import pytest

from rules.errors import ExpressionError
from rules.expression import MAX_CHARACTERS, parse

VALUES = np.array([0.0, 5.0, 91.0, np.nan])
ATTRIBUTES = {"capacity": np.array([100.0, 100.0, 100.0, 100.0])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spo2 <= 91", [True, True, True, False]),
        ("value < 0.05 * device.capacity", [True, False, False, False]),
        ("value >= 1 and value < 10 or value == 91", [False, True, True, False]),
        ("not (value > 4)", [True, False, False, False]),
        ("value - 2 * 2 == 1", [False, True, False, False]),
        ("(value - 2) * 2 == 6", [False, True, False, False]),
        ("-value > -1", [True, False, False, False]),
        ("value == true or value == 5", [False, True, False, False]),
        ("true", [True, True, True, True]),
        ("not false and value != 5", [True, False, True, False]),
        ("10 / value > 1", [False, True, False, False]),
        ("not 10 / value > 1", [False, False, True, False]),
        ("10 / value > 1 or value < 1", [True, True, False, False]),
    ],
)
def test_holds_where_it_certainly_does(text: str, expected: list[bool]) -> None:
    assert parse(text).evaluate(VALUES, ATTRIBUTES).tolist() == expected


def test_what_is_undefined_is_neither_true_nor_false() -> None:
    true, false = parse("10 / value > 1").judge(VALUES, {})
    assert true.tolist() == [False, True, False, False]
    assert false.tolist() == [False, False, True, False]


def test_knows_what_it_uses() -> None:
    expression = parse("spo2 < 3 and value > device.a / device.b")
    assert expression.metrics == {"spo2", "value"}
    assert expression.attributes == {"a", "b"}
    assert expression.constants == (3.0,)


@pytest.mark.parametrize(
    ("text", "column", "what", "hint"),
    [
        ("spo3 <= 91", 1, "unknown name 'spo3'", "did you mean 'spo2'?"),
        ("spo2 = 91", 6, "'=' is not expected here", "did you mean '=='?"),
        ("80 < spo2 < 91", 11, "'<' is not expected here", "join two comparisons with 'and'"),
        ("spo2 <=", 8, "the expression ends too early", ""),
        ("(spo2 < 3", 10, "the expression ends too early", ""),
        ("", 1, "the expression ends too early", ""),
        ("spo2", 1, "a number stands where a condition is needed", "compare it"),
        ("(spo2 < 3) + 1 > 2", 2, "a condition stands where a number is needed", ""),
        ("spo2 < 91 && true", 11, "'&' is not expected here", "did you mean 'and'?"),
        ("__import__('os')", 11, "'(' is not expected here", ""),
        ("spo2.real > 1", 5, "'.' is not expected here", ""),
    ],
)
def test_says_where_and_what_is_wrong(text: str, column: int, what: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    (complaint,) = caught.value.complaints
    assert (complaint.column, complaint.what, complaint.hint) == (column, what, hint)


def test_says_everything_that_is_wrong() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse("puls < 3 and spo3 > 4", ["pulse", "spo2"])
    assert [c.column for c in caught.value.complaints] == [1, 14]


@pytest.mark.parametrize("text", ["-" * 500 + "spo2 < 1", "not " * 200 + "true", "(" * 900])
def test_refuses_what_is_nested_too_deep(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


def test_refuses_what_is_too_long() -> None:
    with pytest.raises(ExpressionError, match=f"more than {MAX_CHARACTERS}"):
        parse("value > 1 or " * 1_000 + "true")
