"""Which rules watch a device."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.watchers import Watchers

SIZE = 6


@given(
    st.lists(st.sets(st.integers(0, SIZE - 1)), max_size=130),
    st.lists(st.integers(0, SIZE - 1), max_size=4),
)
def test_the_rules_of_devices_are_all_that_watch_any(
    watched: list[set[int]], asked: list[int]
) -> None:
    watchers = Watchers(SIZE, [np.array(sorted(one), np.int32) for one in watched])
    expected = {number for number, one in enumerate(watched) if one & set(asked)}
    assert watchers.of(np.array(asked, np.int64)) == expected
