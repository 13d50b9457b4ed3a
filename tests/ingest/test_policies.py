"""When a batch is due, how much goes into it, and how long to wait after failures."""

from dataclasses import dataclass
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from ingest.backoff import Backoff
from ingest.batch import BatchPolicy, Pace

POLICY = BatchPolicy(messages=100, age=50.0, size=1_000)
RESTED = Pace(worked=8.0, rested=8.0)
TIRED = Pace(worked=40.0, rested=0.0)


def test_no_messages_are_never_due() -> None:
    assert POLICY.due_in(0, 0, 99.0, RESTED) is None


def test_a_full_batch_is_due_at_once() -> None:
    assert POLICY.due_in(100, 10, 0.0, TIRED) == 0.0
    assert POLICY.due_in(101, 10, 0.0, TIRED) == 0.0
    assert POLICY.due_in(1, 1_000, 0.0, TIRED) == 0.0


def test_a_lone_message_is_due_at_once_where_the_database_has_rested() -> None:
    assert POLICY.due_in(1, 10, 0.0, RESTED) == 0.0
    assert POLICY.due_in(1, 10, 0.0, Pace(0.0, 0.0)) == 0.0


def test_a_small_batch_waits_until_the_database_has_rested_as_long_as_it_worked() -> None:
    assert POLICY.due_in(1, 10, 0.0, Pace(worked=8.0, rested=3.0)) == 5.0
    assert POLICY.due_in(99, 10, 10.0, TIRED) == 40.0


def test_nothing_waits_longer_than_its_age() -> None:
    assert POLICY.due_in(1, 10, 20.0, TIRED) == 30.0
    assert POLICY.due_in(1, 10, 50.0, TIRED) == 0.0
    assert POLICY.due_in(99, 10, 7_000.0, Pace(300_000.0, 0.0)) == 0.0


def test_a_message_larger_than_a_batch_goes_alone() -> None:
    assert POLICY.share([5_000, 1]) == 1
    assert POLICY.share([1, 5_000]) == 1
    assert POLICY.share([400, 400, 200, 1]) == 3
    assert POLICY.share([1] * 1_000) == 100
    assert POLICY.share([]) == 0


@dataclass(frozen=True, slots=True)
class Taken:
    """A batch: its messages' numbers, when it was taken, and the batch before it."""

    messages: range
    at: float
    worked: float
    done: float


def played(
    policy: BatchPolicy, arrivals: list[float], sizes: list[int], took: float
) -> list[Taken]:
    """The batches of these messages where each commit takes a span and one more per message."""
    batches: list[Taken] = []
    first, now, worked, done = 0, 0.0, 0.0, 0.0
    while first < len(arrivals):
        come = sum(at <= now for at in arrivals)
        waiting = sizes[first:come]
        age = now - arrivals[first]
        wait = policy.due_in(len(waiting), sum(waiting), age, Pace(worked, now - done))
        if wait == 0.0:
            count = policy.share(waiting)
            batches.append(Taken(range(first, first + count), now, worked, done))
            first += count
            worked = took + count
            now = done = now + worked
        else:
            following = arrivals[come] if come < len(arrivals) else float("inf")
            now = min(following, float("inf") if wait is None else now + wait)
    return batches


@given(
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 2_000)), max_size=200),
    st.integers(0, 200),
    st.builds(
        BatchPolicy,
        messages=st.integers(1, 50),
        age=st.integers(0, 100),
        size=st.integers(1, 5_000),
    ),
)
def test_whatever_comes_is_taken_in_order_in_bounded_batches_and_in_time(
    messages: list[tuple[int, int]], took: int, policy: BatchPolicy
) -> None:
    arrivals = [float(at) for at in accumulate(gap for gap, _ in messages)]
    sizes = [size for _, size in messages]
    batches = played(policy, arrivals, sizes, float(took))
    assert [n for batch in batches for n in batch.messages] == list(range(len(messages)))
    for batch in batches:
        held = batch.at - max(batch.done, arrivals[batch.messages.start])
        assert 0 <= held <= min(policy.age, batch.worked)
        assert len(batch.messages) <= policy.messages
        size = sum(sizes[n] for n in batch.messages)
        assert size <= policy.size or len(batch.messages) == 1


@given(st.integers(1, 50), st.integers(1, 100))
def test_what_gathers_during_a_commit_is_one_batch(count: int, age: int) -> None:
    """One message, then many while it is committed: two batches."""
    policy = BatchPolicy(messages=50, age=float(age))
    batches = played(policy, [0.0, *[1.0] * count], [1] * (count + 1), 200.0)
    assert [len(batch.messages) for batch in batches] == [1, count]


@given(st.integers(10, 1_000), st.integers(0, 9))
def test_at_a_low_rate_nothing_waits_at_all(gap: int, half: int) -> None:
    """Messages come further apart than twice what a commit takes."""
    arrivals = [float(n * gap) for n in range(50)]
    batches = played(POLICY, arrivals, [1] * 50, min(half, gap // 2 - 1))
    assert [batch.at for batch in batches] == arrivals


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first=1.0, longest=10.0)
    assert [backoff.delay(n, 0.0) for n in range(1, 7)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_chance_spreads_waits_over_their_upper_half(failures: int, chance: float) -> None:
    backoff = Backoff()
    assert backoff.first / 2 <= backoff.delay(failures, 0.0) <= backoff.delay(failures, chance)
    assert backoff.delay(failures, chance) <= backoff.longest
