"""What is subscribed to and left, whatever is wanted meanwhile and whenever the broker answers."""

from hypothesis import given
from hypothesis import strategies as st

from ingest.subscribing import PORTION, Packet, Subscribing, Wanted

TOPICS = st.sets(st.sampled_from([f"t{number}" for number in range(8)]))


def answer_all(subscribing: Subscribing, broker: set[str]) -> None:
    """The broker answers until nothing is left to ask."""
    while packet := subscribing.next():
        _grant(packet, broker)
        subscribing.answered()


def _grant(packet: Packet, broker: set[str]) -> None:
    if packet.leaving:
        broker.difference_update(packet.topics)
    else:
        broker.update(packet.topics)


@given(TOPICS, st.lists(st.tuples(TOPICS, st.booleans())))
def test_in_the_end_the_broker_has_what_was_wanted_last(
    kept: set[str], steps: list[tuple[set[str], bool]]
) -> None:
    """kept: of an earlier process; each step wants something else, with or without an answer."""
    broker, wanted = set(kept), Wanted((), tuple(sorted(kept)))
    subscribing = Subscribing(wanted)
    for topics, answered in steps:
        if packet := subscribing.next():
            _grant(packet, broker)
            if answered:
                subscribing.answered()
        left = {*wanted.topics, *wanted.leave} - topics
        wanted = Wanted(tuple(sorted(topics)), tuple(sorted(left)))
        subscribing.want(wanted)
    subscribing.answered()
    answer_all(subscribing, broker)
    assert subscribing.done
    assert broker == set(wanted.topics)


def test_filters_go_in_portions_one_after_the_other() -> None:
    subscribing = Subscribing(Wanted(tuple(f"t{n}" for n in range(PORTION + 1)), ("old",)))
    first = subscribing.next()
    assert first is not None
    assert len(first.topics) == PORTION
    assert subscribing.next() is None
    subscribing.answered()
    assert subscribing.next() == Packet((f"t{PORTION}",))
    subscribing.answered()
    assert subscribing.next() == Packet(("old",), leaving=True)
    assert not subscribing.done
    subscribing.answered()
    assert subscribing.done


def test_who_wants_nothing_is_done_at_once() -> None:
    subscribing = Subscribing(Wanted(()))
    assert subscribing.done
    assert subscribing.next() is None
