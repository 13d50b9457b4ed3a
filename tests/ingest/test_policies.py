"""When a batch is due, and how long to wait after failures."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.backoff import Backoff
from ingest.batch import BatchPolicy

POLICY = BatchPolicy(messages=100, age=0.05)


def test_no_messages_are_never_due() -> None:
    assert POLICY.due_in(0, 99.0) is None


def test_a_full_batch_is_due_at_once() -> None:
    assert POLICY.due_in(100, 0.0) == 0.0
    assert POLICY.due_in(101, 0.0) == 0.0


def test_a_small_batch_is_due_when_its_oldest_message_is_old_enough() -> None:
    assert POLICY.due_in(1, 0.02) == 0.05 - 0.02
    assert POLICY.due_in(1, 0.05) == 0.0
    assert POLICY.due_in(99, 7.0) == 0.0


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first=1.0, longest=10.0)
    assert [backoff.delay(n, 0.0) for n in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_chance_spreads_waits_over_their_upper_half(failures: int, chance: float) -> None:
    backoff = Backoff()
    assert backoff.first / 2 <= backoff.delay(failures, 0.0) <= backoff.delay(failures, chance)
    assert backoff.delay(failures, chance) <= backoff.longest
