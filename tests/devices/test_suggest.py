"""Hints for unknown words."""

import pytest

from devices.suggest import did_you_mean, one_of


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("spo3", ["spo2", "pulse"], "did you mean 'spo2'?"),
        ("x", ["spo2", "pulse"], "one of 'pulse', 'spo2'"),
        ("x", [], ""),
        ("x", [f"word-{n}" for n in range(100)], ""),
        ("b7-x9", {f"b{n}-9" for n in range(10_000)}, "did you mean 'b7-9'?"),
    ],
)
def test_did_you_mean(word: str, known: list[str], hint: str) -> None:
    assert did_you_mean(word, known) == hint


def test_one_of_is_in_order() -> None:
    assert one_of({"zh", "en"}) == "one of 'en', 'zh'"
