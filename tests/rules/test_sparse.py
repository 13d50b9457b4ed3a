"""A sparse column says what an array would, and keeps nothing where nothing was written."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.instant import FOREVER, NEVER
from rules.sparse import Sparse

USUAL: list[Any] = [np.int64(NEVER), np.int64(FOREVER), np.int32(-1), np.float64(np.nan)]
ROWS = st.lists(st.integers(0, 9), unique=True)


@pytest.mark.parametrize("usual", USUAL, ids=str)
@given(st.lists(st.tuples(st.booleans(), ROWS, st.integers(-3, 3))), st.integers(0, 12))
def test_it_says_what_an_array_does(
    usual: Any, writes: list[tuple[bool, list[int], int]], length: int
) -> None:
    column, array = Sparse(10, usual), np.full(10, usual)
    for carefully, some, number in writes:
        rows = np.array(some, np.intp)
        numbers = np.arange(number, number + len(rows)) if number else usual
        array[rows] = numbers
        if carefully:
            column.put(rows, numbers)
        else:
            column[rows] = numbers
        np.testing.assert_array_equal(column[:], array)
    np.testing.assert_array_equal(column.copy()[:], array)
    np.testing.assert_array_equal(column[3:7], array[3:7])
    unusual = ~np.isnan(array) if np.isnan(usual) else array != usual
    assert column.unusual().tolist() == unusual.tolist()
    wide = np.full(length, usual)
    wide[:10] = array[:length]
    np.testing.assert_array_equal(column.resized(length)[:], wide)


def test_rows_of_several_numbers_are_rows_too() -> None:
    column = Sparse((4, 2), np.int64(NEVER))
    column.put(np.array([1, 3]), np.array([[1, 2], [NEVER, 4]]))
    column[2] = 7
    assert column[[0, 1, 2, 3]].tolist() == [[NEVER] * 2, [1, 2], [7, 7], [NEVER, 4]]
    assert column[:, 1].tolist() == [NEVER, 2, 7, 4]
    assert column.copy()[3].tolist() == [NEVER, 4]


def test_a_copy_is_one_of_its_own() -> None:
    column = Sparse(200_000, np.float64(0.5))
    column[150_000] = 2.0
    twin = column.copy()
    twin[150_000] = 3.0
    assert column[[150_000]].tolist() == [2.0]
    assert twin[[150_000, 0]].tolist() == [3.0, 0.5]
    assert np.flatnonzero(twin.unusual()).tolist() == [150_000]
