"""NEWS2 band by band, as chart 1 of the Royal College of Physicians (2017) has it."""

from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.news2 import PARAMETERS, bands_of, news2
from tests.rules.oracle_score import scores

WELL = {
    "breathing_rate": 16.0,
    "spo2": 97.0,
    "oxygen_flow": 0.0,
    "systolic": 120.0,
    "pulse": 70.0,
    "consciousness": 0.0,
    "body_temperature": 36.5,
}


def judged(
    given: Mapping[str, float] | None = None, *, scale_2: bool = False
) -> tuple[float, float]:
    known = WELL | dict(given or {})
    numbers = np.array([[known[name] for name in PARAMETERS]])
    total, single = news2(numbers, np.array([scale_2]))
    return float(total[0]), float(single[0])


def test_who_is_well_has_none() -> None:
    assert judged() == (0.0, 0.0)


@pytest.mark.parametrize(
    ("name", "lowest", "highest", "score"),
    [
        ("breathing_rate", 2, 8, 3),
        ("breathing_rate", 9, 11, 1),
        ("breathing_rate", 12, 20, 0),
        ("breathing_rate", 21, 24, 2),
        ("breathing_rate", 25, 80, 3),
        ("spo2", 50, 91, 3),
        ("spo2", 92, 93, 2),
        ("spo2", 94, 95, 1),
        ("spo2", 96, 100, 0),
        ("systolic", 40, 90, 3),
        ("systolic", 91, 100, 2),
        ("systolic", 101, 110, 1),
        ("systolic", 111, 219, 0),
        ("systolic", 220, 300, 3),
        ("pulse", 20, 40, 3),
        ("pulse", 41, 50, 1),
        ("pulse", 51, 90, 0),
        ("pulse", 91, 110, 1),
        ("pulse", 111, 130, 2),
        ("pulse", 131, 300, 3),
        ("consciousness", 0, 0, 0),
        ("consciousness", 1, 4, 3),
        ("body_temperature", 25.0, 35.0, 3),
        ("body_temperature", 35.1, 36.0, 1),
        ("body_temperature", 36.1, 38.0, 0),
        ("body_temperature", 38.1, 39.0, 1),
        ("body_temperature", 39.1, 45.0, 2),
    ],
)
def test_each_band_from_its_lowest_to_its_highest(
    name: str, lowest: float, highest: float, score: float
) -> None:
    assert judged({name: lowest}) == (score, score)
    assert judged({name: highest}) == (score, score)


@pytest.mark.parametrize(
    ("lowest", "highest", "score"), [(50, 83, 3), (84, 85, 2), (86, 87, 1), (88, 92, 0)]
)
def test_scale_2_below_and_in_the_target_is_the_same_on_air_and_on_oxygen(
    lowest: float, highest: float, score: float
) -> None:
    for percent in (lowest, highest):
        assert judged({"spo2": percent}, scale_2=True) == (score, score)
        assert judged({"spo2": percent, "oxygen_flow": 2}, scale_2=True) == (
            score + 2,
            max(score, 2),
        )


@pytest.mark.parametrize(
    ("lowest", "highest", "on_oxygen"), [(93, 94, 1), (95, 96, 2), (97, 100, 3)]
)
def test_scale_2_above_the_target_counts_on_oxygen_only(
    lowest: float, highest: float, on_oxygen: float
) -> None:
    for percent in (lowest, highest):
        assert judged({"spo2": percent}, scale_2=True) == (0, 0)
        told = judged({"spo2": percent, "oxygen_flow": 1}, scale_2=True)
        assert told == (on_oxygen + 2, max(on_oxygen, 2))


def test_oxygen_is_two_however_little() -> None:
    assert judged({"oxygen_flow": 0.5}) == (2, 2)


def test_numbers_are_rounded_as_the_chart_is_written() -> None:
    assert judged({"breathing_rate": 20.4}) == (0, 0)
    assert judged({"breathing_rate": 20.6}) == (2, 2)
    assert judged({"body_temperature": 38.04}) == (0, 0)
    assert judged({"body_temperature": 38.06}) == (1, 1)


def test_the_worst_is_twenty() -> None:
    worst = {
        "breathing_rate": 30,
        "spo2": 80,
        "oxygen_flow": 4,
        "systolic": 80,
        "pulse": 140,
        "consciousness": 4,
        "body_temperature": 34,
    }
    assert judged(worst) == (20, 3)


VITALS = st.fixed_dictionaries(
    {
        "breathing_rate": st.integers(2, 80),
        "spo2": st.integers(50, 100),
        "oxygen_flow": st.sampled_from([0.0, 0.5, 4.0]),
        "systolic": st.integers(40, 300),
        "pulse": st.integers(20, 300),
        "consciousness": st.integers(0, 4),
        "body_temperature": st.integers(250, 450).map(lambda tenths: tenths / 10),
    }
)
"""What may be measured, all of it."""


@given(VITALS, st.booleans())
def test_agrees_with_the_chart_read_line_by_line(known: dict[str, float], scale_2: bool) -> None:
    single = scores(known, scale_2=scale_2)
    assert judged(known, scale_2=scale_2) == (sum(single), max(single))


@given(VITALS, VITALS, st.booleans())
def test_what_counts_as_the_same_changes_no_score(
    known: dict[str, float], other: dict[str, float], scale_2: bool
) -> None:
    for column, name in enumerate(PARAMETERS):
        numbers = np.array([known[name], other[name]])
        one, two = bands_of(numbers, np.array([column, column])).tolist()
        if one == two:
            changed = known | {name: other[name]}
            assert judged(changed, scale_2=scale_2) == judged(known, scale_2=scale_2)


@pytest.mark.parametrize("name", PARAMETERS)
def test_from_one_score_to_the_next_it_counts_as_another(name: str) -> None:
    column, numbers = PARAMETERS.index(name), np.arange(0, 300) / (10 if name[0] == "o" else 1)
    told = [judged({"oxygen_flow": 1.0} | {name: n}) for n in numbers.tolist()]
    bands = bands_of(numbers, np.full(300, column)).tolist()
    pairs = list(zip(told, told[1:], bands, bands[1:], strict=False))
    assert any(one != two for one, two, _, _ in pairs)
    assert all(band != after for one, two, band, after in pairs if one != two)
