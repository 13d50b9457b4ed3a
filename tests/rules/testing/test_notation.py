"""Series in their compact notation."""

import pytest

from rules.testing.notation import MAX_STEPS, read_series


def values(text: str) -> list[float | None]:
    """The values step by step, None where nothing is said."""
    series = read_series(text)
    assert series.complaints == ()
    found: list[float | None] = [None] * series.steps
    for point in series.points:
        found[point.step] = point.value
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("97", [97]),
        ("97 x3 90", [97, 97, 97, 90]),
        ("97x3", [97, 97, 97]),
        ("_ x2 1", [None, None, 1]),
        ("1 _", [1, None]),
        ("94..96", [94, 95, 96]),
        ("96..94", [96, 95, 94]),
        ("1..2/0.5 x2", [1, 1.5, 2, 1, 1.5, 2]),
        ("0.1..0.3/0.1", [0.1, 0.2, 0.3]),
        ("-3..-1", [-3, -2, -1]),
        ("1..2/5", [1]),
        ("5..5", [5]),
        (" 1.5e3  -2 ", [1500, -2]),
    ],
)
def test_numbers(text: str, expected: list[float | None]) -> None:
    assert values(text) == expected


def test_words_of_the_device() -> None:
    points = read_series("online x2 _ offline").points
    assert [(p.step, p.value, p.online) for p in points] == [
        (0, 1.0, True),
        (1, 1.0, True),
        (3, 0.0, False),
    ]


def test_attributes() -> None:
    series = read_series("1{credential: A 7, door: main} x2 1")
    assert series.complaints == ()
    assert [dict(p.attributes) for p in series.points] == [
        {"credential": "A 7", "door": "main"},
        {"credential": "A 7", "door": "main"},
        {},
    ]


@pytest.mark.parametrize(
    ("text", "column", "what"),
    [
        ("", 1, "without anything"),
        ("97 x0", 1, "0 times"),
        ("1 ninety 2", 3, "'ninety'"),
        ("1 unknown", 3, "'unknown'"),
        ("1 true", 3, "'true'"),
        ("x5", 1, "'x5'"),
        ("1..", 1, "'1..'"),
        ("1..3/0", 1, "steps of 0"),
        ("1{credential}", 2, "'credential'"),
        ("_{credential: 7}", 1, "not understood"),
        ("1,2", 1, "'1,2'"),
        (f"1 x{MAX_STEPS + 1}", 1, "steps"),
        (f"0..{MAX_STEPS + 1}", 1, "steps"),
        ("1 x99999999999999999999", 1, "steps"),
    ],
)
def test_mistakes_are_told_with_their_column(text: str, column: int, what: str) -> None:
    (complaint,) = read_series(text).complaints
    assert complaint.column == column
    assert what in complaint.what
    assert complaint.hint


def test_every_mistake_is_told_and_the_rest_is_read() -> None:
    series = read_series("a 1 b 2")
    assert [complaint.column for complaint in series.complaints] == [1, 5]
    assert [point.value for point in series.points] == [1, 2]
