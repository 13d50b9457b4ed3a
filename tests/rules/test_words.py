"""Words of a batch: by device, time and what was said, with all their rows."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from devices.reading import Batch, Reading
from rules.words import HEARTBEAT, order_of, words_of

LIMITS = np.array([0, 5, 5, 0, 5, 5], np.int64)
"""By device; 0 and 3 are not known."""

READINGS = st.lists(
    st.builds(
        Reading,
        time=st.integers(0, 6) | st.integers(0, 2**40),
        arrival=st.integers(2**40, 2**40 + 2),
        device=st.integers(-1, 7),
        metric=st.sampled_from([HEARTBEAT, 34, 35]),
        value=st.sampled_from([0.0, 1.0]),
        token=st.just(0),
        issue=st.just(0),
    ),
    max_size=30,
)


@given(READINGS)
def test_words_hold_their_rows_in_order(readings: list[Reading]) -> None:
    batch = Batch.of(readings)
    words = words_of(batch, LIMITS)
    order = order_of(words)
    words = words if order is None else words.take(order)
    rows, word = words.rows()
    offline = (batch.metric == HEARTBEAT) & (batch.value == 0)
    expected = np.lexsort((offline, batch.time, batch.device))
    known = [row for row in expected.tolist() if batch.device[row] in {1, 2, 4, 5}]
    assert rows.tolist() == known
    assert words.device[word].tolist() == batch.device[known].tolist()
    assert words.time[word].tolist() == batch.time[known].tolist()
    assert words.arrival[word].tolist() == batch.arrival[known].tolist()
    assert words.offline[word].tolist() == offline[known].tolist()


@given(READINGS)
def test_words_of_the_future_are_moved_back_and_keep_their_order(readings: list[Reading]) -> None:
    batch = Batch.of([r._replace(arrival=3 + r.arrival % 2) for r in readings])
    words = words_of(batch, LIMITS)
    order = order_of(words)
    words = words if order is None else words.take(order)
    assert (words.time <= words.arrival).all()
    keys = list(
        zip(
            words.device.tolist(),
            words.time.tolist(),
            words.offline.tolist(),
            words.said.tolist(),
            strict=True,
        )
    )
    assert keys == sorted(keys)


@given(READINGS, st.randoms(use_true_random=False))
def test_words_that_were_moved_are_put_in_order_again(
    readings: list[Reading], random: Random
) -> None:
    words = words_of(Batch.of(readings), LIMITS)
    places = list(range(len(words)))
    random.shuffle(places)
    mixed = words.take(np.array(places, np.int64))
    order = order_of(mixed)
    again = mixed if order is None else mixed.take(order)
    for name in ("device", "time", "offline", "said"):
        assert getattr(again, name).tolist() == getattr(words, name).tolist()


def test_many_words_are_put_in_order_as_few_are() -> None:
    devices = np.random.default_rng(1).permutation(np.arange(1, 200_000, 100))
    zeros = np.zeros(len(devices), np.int64)
    batch = Batch(
        zeros, zeros, devices.astype(np.int32), zeros.astype(np.int16), np.ones(len(devices))
    )
    words = words_of(batch, np.full(200_000, 5, np.int64))
    assert words.device.tolist() == sorted(devices.tolist())
    assert batch.device[words.rows()[0]].tolist() == sorted(devices.tolist())
