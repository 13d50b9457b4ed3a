"""The evaluator against a plain loop, and against itself: cut, repeated, killed and restored."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import Absence
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Change, Transition
from tests.rules.community import (
    AWAY_WEARABLE,
    CAR_PARK,
    DOOR,
    GATEWAY,
    MOTION,
    MOTION_TOO,
    OTHER_DOOR,
    RULES,
    WEARABLE,
    behind_gateway,
    inventory,
    reading,
    rule,
    seconds,
    told,
)
from tests.rules.oracle import Oracle, by_subject

PLAN = make_plan(RULES, behind_gateway())
WITHOUT_ABSENCE = make_plan([r for r in RULES if not isinstance(r.condition, Absence)], inventory())

SOURCES = st.sampled_from(
    [
        (device, name, value)
        for devices, name, values in (
            ((WEARABLE, AWAY_WEARABLE), "spo2", (90.0, 92.0, 93.0, 96.0)),
            ((WEARABLE,), "pulse", (80.0, 130.0)),
            ((WEARABLE, AWAY_WEARABLE), "sos", (0.0, 1.0)),
            ((MOTION, MOTION_TOO), "motion", (0.0, 1.0)),
            ((DOOR, OTHER_DOOR), "access_denied", (1.0, 1.0, 1.0)),
            ((DOOR, OTHER_DOOR), "heartbeat", (1.0, 1.0, 0.0)),
            ((GATEWAY, AWAY_WEARABLE), "heartbeat", (1.0, 1.0, 0.0)),
            ((CAR_PARK,), "parking_free", (0.0, 1.0, 8.0)),
        )
        for device in devices
        for value in values
    ]
)
STEPS = st.sampled_from([1, 1, 2, 2, 3, 5, 5, 10, 20, 31, 45, 100])


@st.composite
def timed(draw: st.DrawFn, size: int = 60) -> list[Reading]:
    """Readings at different times, ascending, that arrive at once."""
    rows, now = [], 0
    for device, name, value in draw(st.lists(SOURCES, max_size=size)):
        now += seconds(draw(STEPS))
        rows.append(Reading(now, now, device, metric(name).id, value))
    return rows


@st.composite
def scattered(draw: st.DrawFn) -> list[tuple[list[Reading], int]]:
    """Batches, each with the `now` after it: late, repeated, early and simultaneous readings."""
    batches, now = [], 0
    for sources in draw(st.lists(st.lists(SOURCES, max_size=12), max_size=10)):
        rows = []
        for device, name, value in sources:
            time = seconds(now + draw(st.integers(-20, 40)))
            arrival = seconds(now + draw(st.integers(-5, 45)))
            rows.append(Reading(time, arrival, device, metric(name).id, value))
        now += draw(STEPS)
        batches.append((rows, seconds(now)))
    return batches


@given(scattered(), st.data())
@settings(max_examples=100, deadline=None)
def test_agrees_with_the_plain_loop_also_when_killed_anywhere(
    batches: list[tuple[list[Reading], int]], data: st.DataObject
) -> None:
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        expected = oracle.evaluate(rows, now)
        assert by_subject(done.transitions) == by_subject(expected)
        assert not done.failures
        state = done.state
        if data.draw(st.booleans()):
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []


def agree(batches: list[tuple[list[Reading], int]]) -> None:
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        assert by_subject(done.transitions) == by_subject(oracle.evaluate(rows, now))
        state = done.state


def test_a_word_from_the_future_is_forgotten_once_the_device_spoke_after_another() -> None:
    first = [reading(1, AWAY_WEARABLE, "heartbeat", 0)]
    then = [
        reading(1, AWAY_WEARABLE, "spo2", 90),
        reading(1, AWAY_WEARABLE, "spo2", 90, arrival=2),
        reading(1, AWAY_WEARABLE, "heartbeat", 0),
    ]
    agree([(first, seconds(1)), (then, seconds(3))])


def test_a_device_heard_after_its_gateway_went_is_lost_with_it_when_that_was_late() -> None:
    first = [reading(4, WEARABLE, "spo2", 90), reading(31, WEARABLE, "spo2", 90)]
    then = [reading(5, WEARABLE, "spo2", 90), reading(5, GATEWAY, "heartbeat", 1)]
    agree([([], seconds(1)), (first, seconds(5)), (then, seconds(36))])


def test_of_two_moved_to_one_time_the_later_said_tells_how_far_behind_a_device_is() -> None:
    heartbeat = metric("heartbeat").id
    rows = [
        Reading(seconds(1), seconds(0), AWAY_WEARABLE, heartbeat, 1.0),
        Reading(seconds(0), seconds(1), AWAY_WEARABLE, heartbeat, 1.0),
        Reading(seconds(1), seconds(1), AWAY_WEARABLE, heartbeat, 0.0),
        Reading(seconds(1), seconds(1), WEARABLE, metric("spo2").id, 90.0),
    ]
    for some in (rows, rows[::-1]):
        done = evaluate(PLAN, Batch.of(some), fresh(PLAN, 0), seconds(2))
        expected = Oracle(PLAN, 0).evaluate(some, seconds(2))
        assert by_subject(done.transitions) == by_subject(expected)


def test_a_device_is_missed_also_where_its_gateway_would_have_been_missed_before() -> None:
    """Heard late, it would be silent after its gateway; heard again in time, before it."""
    spo2, heartbeat = metric("spo2").id, metric("heartbeat").id
    first = [Reading(seconds(0), seconds(1), WEARABLE, spo2, 95.0)]
    second = [
        Reading(seconds(1), seconds(1), WEARABLE, spo2, 95.0),
        Reading(seconds(1), seconds(1), GATEWAY, heartbeat, 1.0),
    ]
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    for rows, now in ((first, 1), (second, 32)):
        done = evaluate(PLAN, Batch.of(rows), state, seconds(now))
        expected = oracle.evaluate(rows, seconds(now))
        assert by_subject(done.transitions) == by_subject(expected)
        state = done.state
    assert "t.alert" in {t.rule.code for t in done.transitions}


def test_who_speaks_after_saying_offline_is_there_whatever_was_said_before_that() -> None:
    """The last word before an instant counts there, however often the device speaks then."""
    heartbeat, spo2 = metric("heartbeat").id, metric("spo2").id
    batches = [
        ([Reading(seconds(5), seconds(5), AWAY_WEARABLE, heartbeat, 0.0)], seconds(4)),
        (
            [
                Reading(seconds(4), seconds(4), AWAY_WEARABLE, heartbeat, 0.0),
                Reading(seconds(5), seconds(5), AWAY_WEARABLE, spo2, 90.0),
                Reading(seconds(5), seconds(5), AWAY_WEARABLE, spo2, 90.0),
            ],
            seconds(6),
        ),
    ]
    as_the_plain_loop(batches)


def test_a_gateway_that_is_there_longer_than_thought_lets_a_silence_count() -> None:
    """Its 'offline' of the future was heard, and then that it is far behind."""
    heartbeat = metric("heartbeat").id
    batches = [
        ([Reading(seconds(3), seconds(3), DOOR, heartbeat, 1.0)], seconds(34)),
        (
            [
                Reading(seconds(34), seconds(34), GATEWAY, heartbeat, 1.0),
                Reading(seconds(51), seconds(51), GATEWAY, heartbeat, 0.0),
            ],
            seconds(35),
        ),
        ([Reading(seconds(35), seconds(48), GATEWAY, heartbeat, 1.0)], seconds(66)),
    ]
    as_the_plain_loop(batches)


def test_a_gateway_that_speaks_in_time_lets_the_silence_behind_it_be_told_in_time() -> None:
    """When the device was last looked at, its gateway was to be missed before it."""
    alert = rule("x", "watch: {metric: spo2, device: d1}\n when: spo2 <= 91\n no_data: alert")
    plan = make_plan([alert], behind_gateway())
    state, said = fresh(plan, 0), list[Transition]()
    for rows, now in (
        ([reading(0, GATEWAY, "heartbeat", 1), reading(5, WEARABLE, "spo2", 96)], 6),
        ([reading(20, GATEWAY, "heartbeat", 1)], 20),
        ([], 40),
    ):
        done = evaluate(plan, Batch.of(rows), state, seconds(now))
        state, said = done.state, said + done.transitions
    assert told(said) == [("fired", "sensor_silent", 5, 35)]


def as_the_plain_loop(batches: list[tuple[list[Reading], int]]) -> None:
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        assert by_subject(done.transitions) == by_subject(oracle.evaluate(rows, now))
        state = done.state


def run(rows: list[Reading], cuts: set[int], end: int) -> list[Transition]:
    """Deliver the rows in batches that end at these places, then a tick at `end`."""
    state = fresh(WITHOUT_ABSENCE, 0)
    said: list[Transition] = []
    for start, stop in pairwise(sorted({0, len(rows), *cuts})):
        part = rows[start:stop]
        done = evaluate(WITHOUT_ABSENCE, Batch.of(part), state, part[-1].time)
        state, said = done.state, said + done.transitions
    return said + evaluate(WITHOUT_ABSENCE, Batch.empty(), state, end).transitions


@given(timed(), st.data(), st.integers(0, 200))
@settings(max_examples=100, deadline=None)
def test_says_the_same_in_whatever_batches_readings_come(
    rows: list[Reading], data: st.DataObject, rest: int
) -> None:
    end = (rows[-1].time if rows else 0) + seconds(rest)
    cuts = data.draw(st.sets(st.integers(0, len(rows)))) if rows else set()
    whole = by_subject(run(rows, set(), end))
    assert whole == by_subject(run(rows, set(range(len(rows))), end))
    assert whole == by_subject(run(rows, cuts, end))


@given(scattered())
@settings(max_examples=50, deadline=None)
def test_hearing_a_batch_again_says_nothing_more(
    batches: list[tuple[list[Reading], int]],
) -> None:
    state = fresh(PLAN, 0)
    for rows, now in batches:
        state = evaluate(PLAN, Batch.of(rows), state, now).state
        again = evaluate(PLAN, Batch.of(rows), state, now)
        assert again.transitions == []
        assert same(dump(again.state, PLAN), dump(state, PLAN))


def test_a_counted_reading_heard_again_ends_no_count() -> None:
    """The other door was silent when the count ran out; hearing it twice does not change that."""
    state = fresh(PLAN, 0)
    denied = metric("access_denied").id
    rows = [Reading(seconds(t), seconds(t), DOOR, denied, 1.0) for t in (19, 20, 21, 22)]
    late = Reading(seconds(41), seconds(41), OTHER_DOOR, denied, 1.0)
    first = evaluate(PLAN, Batch.of([*rows, late]), state, seconds(25))
    assert [t.change for t in first.transitions if t.rule.code == "w.building"] == [Change.FIRED]
    assert evaluate(PLAN, Batch.of([late]), first.state, seconds(25)).transitions == []


@given(scattered())
@settings(max_examples=40, deadline=None)
def test_changes_nothing_of_the_state_given(batches: list[tuple[list[Reading], int]]) -> None:
    state = fresh(PLAN, 0)
    for rows, now in batches:
        before = dump(state, PLAN)
        after = evaluate(PLAN, Batch.of(rows), state, now).state
        assert same(dump(state, PLAN), before)
        state = after


@given(scattered())
@settings(max_examples=60, deadline=None)
def test_a_span_has_one_beginning_and_one_end(
    batches: list[tuple[list[Reading], int]],
) -> None:
    state = fresh(PLAN, 0)
    said: list[Transition] = []
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        state, said = done.state, said + done.transitions
    for spells in by_subject(said).values():
        begun = [t.since for t in spells if t.change == "fired"]
        assert len(set(begun)) == len(begun)
        ended = [t.since for t in spells if t.change == "cleared"]
        assert len(set(ended)) == len(ended)
        assert set(ended) <= set(begun)


def same(one: bytes, other: bytes) -> bool:
    return bool(np.array_equal(np.frombuffer(one, np.uint8), np.frombuffer(other, np.uint8)))
