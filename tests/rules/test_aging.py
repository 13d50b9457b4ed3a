"""When the next of many ends, against a plain dict."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules import aging
from rules.aging import Aging

ENDS = st.dictionaries(st.integers(0, 30), st.integers(0, 100), max_size=30)
CHANGES = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200)), max_size=10)


def columns(ends: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    return np.array(list(ends), np.int64), np.array(list(ends.values()), np.int64)


@pytest.fixture(autouse=True, scope="module")
def few() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aging, "_FEW", 4)
        yield


@given(ENDS, CHANGES, st.integers(1, 150), st.integers(0, 150))
def test_nothing_that_ends_before_a_time_is_missed(
    ends: dict[int, int], changes: list[tuple[int, int]], latest: int, time: int
) -> None:
    kept, ends = Aging.of(*columns(ends), latest), dict(ends)
    for slot, until in changes:
        ends[slot] = until
        kept = kept.put(*columns({slot: until}))
    assert kept.soonest <= min([kept.horizon, *ends.values()])
    slots, left = kept.before(min(time, kept.horizon))
    assert set(slots.tolist()) >= {s for s, u in ends.items() if u < min(time, kept.horizon)}
    assert left.soonest >= min(time, left.horizon)
    assert len(set(slots.tolist())) == len(slots)


def test_only_the_soonest_of_many_are_kept() -> None:
    kept = Aging.of(np.arange(100), np.arange(100) * 10, 5_000)
    assert (kept.slot.tolist(), kept.horizon, kept.soonest) == ([0, 1, 2, 3], 40, 0)
    assert kept.put(np.array([50]), np.array([45])) is kept


def test_as_long_as_nothing_is_known_it_is_time_to_look() -> None:
    assert Aging().soonest == Aging().horizon < 0
