"""Up to when all is heard: the answer that holds or frees the rules' timers."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.hearing import SETTLE, Hearing

WINDOW = 100


def connected(hearing: Hearing, at: float, unacknowledged: int = 0) -> Hearing:
    return hearing.observe(connected=True, unacknowledged=unacknowledged, window=WINDOW, at=at)


def away(hearing: Hearing, at: float) -> Hearing:
    return hearing.observe(connected=False, unacknowledged=0, window=WINDOW, at=at)


def until(hearing: Hearing, now: int, at: float, oldest: int | None = None) -> int:
    return hearing.until(now, at, drained=now, oldest=oldest)


def test_nothing_new_is_heard_before_the_session_has_settled() -> None:
    hearing = connected(Hearing(heard=10), at=5.0)
    assert until(hearing, 1_000, at=5.0 + SETTLE - 0.01) == 10
    assert until(hearing, 1_000, at=5.0 + SETTLE) == 1_000


def test_a_crowded_window_means_that_the_broker_may_hold_messages_back() -> None:
    hearing = connected(connected(Hearing(heard=10), at=5.0), at=8.0, unacknowledged=WINDOW // 2)
    assert until(hearing, 1_000, at=9.0) == 10
    calm = connected(hearing, at=9.0, unacknowledged=WINDOW // 2 - 1)
    assert until(calm, 1_000, at=9.5) == 10
    assert until(calm, 1_000, at=10.0) == 1_000


def test_a_lost_connection_starts_the_settling_anew() -> None:
    hearing = away(connected(Hearing(heard=10), at=5.0), at=20.0)
    assert until(hearing, 1_000, at=30.0) == 10
    assert until(connected(hearing, at=30.0), 1_000, at=30.5) == 10


def test_what_is_not_committed_or_still_in_the_socket_is_not_heard() -> None:
    hearing = connected(Hearing(heard=10), at=0.0)
    assert until(hearing, 1_000, at=9.0, oldest=700) == 700
    assert hearing.until(1_000, 9.0, drained=650, oldest=700) == 650


@given(
    st.lists(
        st.tuples(
            st.booleans(),
            st.integers(0, WINDOW),
            st.integers(0, 99),
            st.none() | st.integers(0, 99),
        )
    )
)
def test_the_answer_never_goes_back(steps: list[tuple[bool, int, int, int | None]]) -> None:
    hearing, answers = Hearing(heard=0), [0]
    for at, (is_connected, unacknowledged, now, oldest) in enumerate(steps):
        hearing = hearing.observe(
            connected=is_connected, unacknowledged=unacknowledged, window=WINDOW, at=float(at)
        )
        answers.append(until(hearing, now, float(at), oldest))
        hearing = hearing.reaching(answers[-1])
    assert answers == sorted(answers)
