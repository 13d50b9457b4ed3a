"""Arrivals of messages, and which of them the present connection can acknowledge."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.instant import HOUR
from ingest import receipts as module
from ingest.message import RawMessage
from ingest.receipts import Earlier, Published, Receipts, fingerprint


def published(packet_id: int, payload: bytes = b"x", *, redelivered: bool = False) -> Published:
    return Published("t", payload, packet_id, 1, redelivered)


@pytest.fixture
def receipts() -> Receipts:
    receipts = Receipts()
    receipts.reconnect()
    return receipts


def test_a_message_is_acknowledged_once_on_its_own_connection(receipts: Receipts) -> None:
    one, two = (receipts.receive(published(n), 10 * n) for n in (1, 2))
    assert receipts.settle([one, two]) == [(1, 1), (2, 1)]
    assert receipts.settle([one]) == []


def test_no_message_is_acknowledged_on_a_later_connection(receipts: Receipts) -> None:
    one = receipts.receive(published(1), 10)
    receipts.reconnect()
    receipts.receive(published(1), 20)
    assert receipts.settle([one]) == []


def test_a_copy_sent_twice_does_not_acknowledge_what_took_its_number(receipts: Receipts) -> None:
    first = receipts.receive(published(1), 10)
    copy = receipts.receive(published(1, redelivered=True), 20)
    assert receipts.settle([first]) == []
    assert receipts.settle([copy]) == [(1, 1)]
    receipts.receive(published(1, b"new"), 30)
    assert receipts.settle([first, copy]) == []


def test_a_message_of_qos_0_needs_no_acknowledgement(receipts: Receipts) -> None:
    assert receipts.settle([receipts.receive(Published("t", b"x", 0, 0, False), 10)]) == []


def test_a_redelivery_keeps_its_first_arrival_over_several_reconnects(receipts: Receipts) -> None:
    receipts.receive(published(7), 10)
    receipts.reconnect()
    receipts.reconnect()
    assert receipts.receive(published(7, redelivered=True), 50).arrival == 10


@pytest.mark.parametrize(
    "again",
    [published(7), published(7, b"other", redelivered=True), published(8, redelivered=True)],
)
def test_another_message_has_its_own_arrival(receipts: Receipts, again: Published) -> None:
    receipts.receive(published(7), 10)
    receipts.reconnect()
    assert receipts.receive(again, 50).arrival == 50


def test_no_two_messages_arrive_at_one_microsecond(receipts: Receipts) -> None:
    arrivals = [receipts.receive(published(n), now).arrival for n, now in enumerate([10, 10, 9])]
    assert arrivals == [10, 11, 12]


def test_a_clock_that_was_set_back_is_believed(receipts: Receipts) -> None:
    receipts.receive(published(1), 2 * HOUR)
    assert receipts.receive(published(2), HOUR).arrival == HOUR


def again(packet_id: int, payload: bytes = b"x") -> Published:
    return Published("gw/v1/c/d/up", payload, packet_id, 1, redelivered=True)


def first(packet_id: int, payload: bytes = b"x") -> Published:
    return Published("gw/v1/c/d/up", payload, packet_id, 1, redelivered=False)


def test_what_was_settled_keeps_its_arrival_if_the_acknowledgement_was_lost() -> None:
    receipts = Receipts()
    receipts.reconnect()
    message = receipts.receive(first(7), 100)
    receipts.settle([message])
    receipts.reconnect()
    assert receipts.receive(again(7), 900).arrival == 100


def test_what_an_earlier_process_stored_keeps_its_arrival() -> None:
    receipts = Receipts({7: Earlier(fingerprint("gw/v1/c/d/up", b"x"), 100)})
    receipts.reconnect()
    assert receipts.receive(again(7), 900).arrival == 100
    assert receipts.receive(again(7), 950).arrival == 950, "it is known once"


def test_no_message_arrives_when_one_of_an_earlier_process_did() -> None:
    stored = {7: Earlier(fingerprint("gw/v1/c/d/up", b"x"), 100)}
    receipts = Receipts(stored)
    receipts.reconnect()
    assert receipts.receive(first(8), 98).arrival == 101


def test_another_message_under_the_same_id_is_a_new_one() -> None:
    stored = {n: Earlier(fingerprint("gw/v1/c/d/up", b"x"), 100) for n in (7, 8)}
    receipts = Receipts(stored)
    receipts.reconnect()
    assert receipts.receive(again(7, b"y"), 900).arrival == 900
    assert receipts.receive(first(8), 1000).arrival == 1000
    assert receipts.receive(again(8), 1100).arrival == 1100, "the id was used anew in between"


def test_what_was_settled_long_ago_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 3)
    receipts = Receipts()
    receipts.reconnect()
    messages = [receipts.receive(first(n), 10 * n) for n in range(1, 6)]
    receipts.settle(messages)
    receipts.reconnect()
    arrivals = [receipts.receive(again(n), 1000 * n).arrival for n in range(1, 6)]
    assert arrivals == [1000, 2000, 30, 40, 50]


PUBLISHED = st.builds(
    Published,
    st.just("t"),
    st.sampled_from([b"x", b"y"]),
    st.integers(1, 4),
    st.sampled_from([1, 1, 1, 0]),
    st.sampled_from([False, False, True]),
)
STEPS = st.tuples(
    st.lists(PUBLISHED, max_size=4), st.integers(0, 3), st.sampled_from([10, 11, 2 * HOUR])
)


@given(st.lists(st.tuples(STEPS, st.booleans()), max_size=8), st.booleans())
def test_received_together_is_received_one_by_one(
    steps: list[tuple[tuple[list[Published], int, int], bool]], remembers: bool
) -> None:
    stored = {2: Earlier(fingerprint("t", b"x"), 5)} if remembers else {}
    together, singly = Receipts(stored), Receipts(stored)
    in_hand: list[tuple[list[RawMessage], list[RawMessage]]] = [([], [])]
    for (published, back, now), reconnects in steps:
        if reconnects:
            together.reconnect()
            singly.reconnect()
        in_hand.append(
            (together.receive_all(published, now), [singly.receive(p, now) for p in published])
        )
        assert in_hand[-1][0] == in_hand[-1][1]
        mine, theirs = in_hand[max(0, len(in_hand) - 1 - back)]
        assert together.settle(mine) == singly.settle(theirs)
