"""Whom an event names, as a number."""

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reading import Batch, Reading, concatenate
from devices.token import NO_ISSUE, NOBODY, issue_of, token_of


def test_a_token_is_the_same_for_ever() -> None:
    """These numbers stand in saved states."""
    assert token_of({"credential": "4f2a"}) == 3482994295479472859
    assert token_of({"plate": "黑E12345"}) == -2459888740596804306


def test_the_same_word_is_another_card_than_plate() -> None:
    assert token_of({"credential": "E12345"}) != token_of({"plate": "E12345"})


def test_of_both_the_credential_counts() -> None:
    assert token_of({"plate": "E1", "credential": "4f2a"}) == token_of({"credential": "4f2a"})
    assert token_of({"plate": "E1", "credential": None}) == token_of({"plate": "E1"})


@pytest.mark.parametrize("value", ["", "  ", None, True, False, 1.5, [], {}, ["4f2a"]])
def test_what_is_no_name_names_nobody(value: object) -> None:
    assert token_of({"credential": value}) == NOBODY  # type: ignore[dict-item]
    assert token_of({}) == NOBODY


def test_a_number_counts_by_what_it_is() -> None:
    assert token_of({"credential": 12}) == token_of({"credential": "12"})
    assert token_of({"credential": 12.0}) == token_of({"credential": 12})
    assert token_of({"credential": 1e16}) == token_of({"credential": 10**16})


def test_the_issue_of_a_card_is_a_whole_number_beside_its_credential() -> None:
    assert issue_of({"credential": "4f2a", "issue": 2}) == 2
    assert issue_of({"credential": "4f2a", "issue": 2.0}) == 2
    for issue in (0, -1, 2**31, 1.5, True, "2", None):
        assert issue_of({"credential": "4f2a", "issue": issue}) == NO_ISSUE
    assert issue_of({"issue": 2}) == NO_ISSUE


def test_a_number_beyond_64_bits_counts_as_the_database_gives_it_back() -> None:
    said = orjson.loads(b'{"credential": 12345678901234567890123}')
    back = orjson.loads(b'{"credential": 12345678901234568000000}')
    assert token_of(said) == token_of(back) != NOBODY


@given(st.text() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False))
def test_a_token_survives_being_written_and_read(value: str | float) -> None:
    try:
        written = orjson.dumps({"credential": value})
    except TypeError:  # a lone surrogate: no JSON says that
        return
    said = orjson.loads(written)
    token = token_of(said)
    assert token == token_of(orjson.loads(orjson.dumps(said)))
    assert -(2**63) <= token < 2**63


ROWS = [Reading(n, n, 1, 21, 1.0, token, n) for n, token in enumerate((7, 0, -9))]


def test_rows_keep_their_tokens() -> None:
    batch = Batch.of(ROWS)
    assert batch.token.dtype == np.int64
    assert batch.rows() == ROWS
    assert batch.issue.dtype == np.int32
    assert batch.take(np.array([2, 0])).token.tolist() == [-9, 7]
    assert batch.take(np.array([2, 0])).issue.tolist() == [2, 0]
    assert concatenate([batch, Batch.empty(), batch]).token.tolist() == [7, 0, -9] * 2


def test_a_batch_of_columns_alone_names_nobody() -> None:
    whole = Batch.of(ROWS)
    plain = Batch(whole.time, whole.arrival, whole.device, whole.metric, whole.value)
    assert plain.token.tolist() == [NOBODY] * 3
    with pytest.raises(ValueError, match="differ in length"):
        Batch(whole.time, whole.arrival, whole.device, whole.metric, whole.value, whole.token[:2])
