"""Where no condition can hold: readings there are left alone, so it must never be too wide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.calm import NOWHERE, calm_range
from rules.expression import parse

VALUES = np.array([-5.0, 0.0, 0.5, 1.0, 2.0, 3.0, 91.0, 92.0, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize(
    ("texts", "low", "high", "calm"),
    [
        (["spo2 <= 91"], 0, 100, (np.nextafter(91, 100), np.finfo(float).max)),
        (["spo2 > 130", "spo2 < 50"], 0, 300, (50, 130)),
        (["spo2 == 1"], 0, 1, (-np.finfo(float).max, np.nextafter(1, 0))),
        (["spo2 == 1 and device.lane == 1"], 0, 1, (-np.finfo(float).max, np.nextafter(1, 0))),
        (["spo2 < device.low"], 0, 100, NOWHERE),
        (["spo2 < 90 or device.low > 3"], 0, 100, NOWHERE),
        (["not (spo2 >= 90)"], 0, 100, (90, np.finfo(float).max)),
        (["not (spo2 >= 90 and device.low > 3)"], 0, 100, NOWHERE),
        (["not (spo2 >= 90 or device.low > 3)"], 0, 100, (90, np.finfo(float).max)),
        (["91 >= spo2"], 0, 100, (np.nextafter(91, 100), np.finfo(float).max)),
        (["spo2 != 5"], 0, 100, (5, 5)),
        (["true"], 0, 100, NOWHERE),
        (["spo2 <= 91", "spo2 > 90"], 0, 100, NOWHERE),
    ],
)
def test_the_range(texts: list[str], low: float, high: float, calm: tuple[float, float]) -> None:
    made = calm_range([parse(text) for text in texts], low, high)
    assert made == pytest.approx(calm, rel=0, abs=0)


def test_a_device_has_the_range_of_its_attributes() -> None:
    whens = [parse("spo2 < 0.05 * device.capacity"), parse("spo2 > device.most")]
    assert calm_range(whens, 0, 100, {"capacity": 100.0, "most": 80.0}) == (5.0, 80.0)
    assert calm_range(whens, 0, 100, {"capacity": 100.0, "most": np.nan}) == NOWHERE


def conditions() -> st.SearchStrategy[str]:
    """Conditions on a value and an attribute of the device."""
    signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    terms = st.sampled_from(["spo2", "device.low", "0", "1", "2", "91", "2 * spo2", "1e309"])
    compared = st.builds(lambda a, sign, b: f"{a} {sign} {b}", terms, signs, terms)
    return st.recursive(
        compared,
        lambda inner: st.one_of(
            st.builds(lambda one: f"not ({one})", inner),
            st.builds(
                lambda one, how, other: f"({one}) {how} ({other})",
                inner,
                st.sampled_from(["and", "or"]),
                inner,
            ),
        ),
        max_leaves=6,
    )


@given(
    st.lists(conditions(), min_size=1, max_size=3),
    st.sampled_from([0.0, 1.0, 2.5, np.nan]),
    st.booleans(),
)
def test_nothing_holds_in_it(texts: list[str], attribute: float, told: bool) -> None:
    expressions = [parse(text) for text in texts]
    first, last = calm_range(expressions, 0.0, 100.0, {"low": attribute} if told else None)
    inside = VALUES[(first <= VALUES) & (last >= VALUES)]
    ends = np.array([first, last] if first <= last else [])
    values = np.concatenate([inside, ends])
    given_attributes = {"low": np.full(len(values), attribute)}
    for expression in expressions:
        assert not expression.evaluate(values, given_attributes).any()
