"""Where names were seen: what it says is alone is alone, whatever shares a cell."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rules.sightings import Sightings

Reading = tuple[int, int, int, int]


def readings() -> st.SearchStrategy[list[list[Reading]]]:
    """Batches of slot, token, device and time."""
    one = st.tuples(
        st.integers(0, 2), st.sampled_from([1, 7, -5, 2**62]), st.integers(1, 3), st.integers(0, 9)
    )
    return st.lists(st.lists(one, max_size=8), max_size=6)


def see(sightings: Sightings, rows: list[Reading]) -> list[bool]:
    slot, token, device, time = (np.array(c, np.int64) for c in zip(*rows, strict=True))
    found: list[bool] = sightings.see(slot.astype(np.int32), token, device, time).tolist()
    return found


def empty() -> Sightings:
    nothing = np.empty(0, np.int64)
    return Sightings(nothing.astype(np.int32), nothing, nothing.astype(np.int32), nothing)


@given(readings())
def test_who_is_alone_was_seen_earlier_and_at_no_other_device(batches: list[list[Reading]]) -> None:
    sightings, before = empty(), list[Reading]()
    for rows in batches:
        rows.sort(key=lambda row: row[3])
        for place, alone in enumerate(see(sightings, rows) if rows else []):
            slot, token, device, time = rows[place]
            others = [r for r in [*before, *rows[:place]] if r[:2] == (slot, token)]
            if alone:
                assert all(other[2] == device and other[3] < time for other in others)
        before += rows


def test_most_who_are_alone_are_said_to_be() -> None:
    rows = [(0, token * 7_919, 1 + token % 50, token) for token in range(50)]
    assert sum(see(empty(), rows)) >= 45
