"""Rules over derived numbers against plain loops, and against themselves: cut, repeated, killed."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.plan import Plan, make_plan
from rules.regroup import regroup
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules.community import seconds
from tests.rules.derived_town import (
    AWAY_MONITOR,
    BAND,
    BAYS,
    DOORS,
    FULL,
    GATEWAY,
    MANY,
    MONITOR,
    OTHER_BAND,
    OTHER_BAYS,
    ROWS,
    SCORES,
    SMOKES,
    town,
)
from tests.rules.oracle import Oracle, by_subject

VITALS = {
    "breathing_rate": (16.0, 22.0, 26.0),
    "spo2": (88.0, 94.0, 97.0),
    "oxygen_flow": (0.0, 2.0),
    "systolic": (95.0, 120.0),
    "pulse": (70.0, 95.0, 135.0),
    "consciousness": (0.0, 0.0, 1.0),
    "body_temperature": (36.5, 38.5),
}
USUAL = {name: values[0] for name, values in VITALS.items()} | {"spo2": 97.0, "systolic": 120.0}
MONITORS = (MONITOR, OTHER_BAND, AWAY_MONITOR)
STEPS = st.sampled_from([0, 1, 1, 2, 3, 5, 10, 20, 31, 45, 100])

Told = tuple[int, str, float]
Groups = st.SearchStrategy[list[Told]]
Batches = list[tuple[list[Reading], int]]


def of(devices: tuple[int, ...], name: str, *values: float) -> list[Told]:
    return [(device, name, value) for device in devices for value in values]


BEATS = of((GATEWAY,), "heartbeat", 1, 1, 0)


def some(*told: list[Told]) -> Groups:
    """Up to six of these at one instant."""
    return st.lists(st.sampled_from([one for part in told for one in part]), max_size=6)


def checkup(device: int) -> list[Told]:
    return [(device, name, value) for name, value in USUAL.items()]


class Theme(NamedTuple):
    """Rules, and what they hear at one instant."""

    plan: Plan
    groups: Groups


THEMES = {
    "score": Theme(
        make_plan(SCORES, town()),
        st.one_of(
            some(*(of(MONITORS, name, *values) for name, values in VITALS.items())),
            some(of((BAND,), "spo2", 88, 97), of((BAND,), "pulse", 70, 135), BEATS),
            st.builds(checkup, st.sampled_from(MONITORS)),
        ),
    ),
    "occupancy": Theme(
        make_plan(FULL, town()),
        st.one_of(
            some(of((*BAYS, *OTHER_BAYS), "occupied", 0, 1, 1), of(BAYS, "battery", 50)),
            some(of(SMOKES, "temperature", 20, 60), of(DOORS, "heartbeat", 0, 1), BEATS),
            st.sets(st.sampled_from(BAYS)).map(lambda bays: of(tuple(bays), "occupied", 1)),
        ),
    ),
    "in a row": Theme(
        make_plan(ROWS, town()),
        st.one_of(
            some(of(DOORS, "access_denied", 1, 1, 1), of(DOORS, "access_granted", 0, 1)),
            st.sampled_from(of(DOORS, "access_denied", 1)).map(lambda one: [one]),
            st.sampled_from(of(MONITORS, "pulse", 70, 85, 95, 99)).map(lambda one: [one]),
            some(of(DOORS, "heartbeat", 0, 1), of((BAND,), "pulse", 70, 95), BEATS),
        ),
    ),
    "correlation": Theme(
        make_plan(MANY, town()),
        st.one_of(
            some(of(SMOKES, "smoke", 0, 1), of(DOORS, "access_denied", 0, 1)),
            st.sampled_from(of(SMOKES[:3], "smoke", 1)).map(lambda one: [one]),
            st.sampled_from(of(DOORS, "access_denied", 1)).map(lambda one: [one]),
            st.sampled_from([0, 1]).map(lambda word: of(SMOKES, "smoke", word)),
            st.just(of(SMOKES, "battery", 50) + of(DOORS, "heartbeat", 1)),
            some(of(DOORS, "access_denied", 1), of(SMOKES, "smoke", 1)),
            some(of(DOORS, "heartbeat", 1), of(SMOKES, "battery", 50), BEATS),
        ),
    ),
}
EACH = pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))


@st.composite
def timed(draw: st.DrawFn, groups: Groups) -> list[list[Reading]]:
    """Readings by instant, ascending, that arrive at once; of one instant each sensor once."""
    instants, now = [], 0
    for group in draw(st.lists(groups, max_size=25)):
        now += seconds(draw(STEPS)) + 1
        once = {(device, name): value for device, name, value in group}
        instants.append([Reading(now, now, d, metric(n).id, v) for (d, n), v in once.items()])
    return instants


@st.composite
def scattered(draw: st.DrawFn, groups: Groups) -> Batches:
    """Batches, each with the `now` after it: late, early and simultaneous readings.

    What a device says of one instant comes in one message.
    """
    batches, now = [], 0
    for several in draw(st.lists(st.lists(groups, max_size=5), max_size=10)):
        rows, came = {}, dict[tuple[int, int], int]()
        for group in several:
            time = seconds(now + draw(st.integers(-20, 20)))
            arrival = seconds(now + draw(st.integers(-5, 45)))
            for device, name, value in group:
                number = metric(name).id
                when = came.setdefault((device, time), arrival)
                rows[device, number, time] = Reading(time, when, device, number, value)
        now += draw(STEPS)
        batches.append((list(rows.values()), seconds(now)))
    return batches


@EACH
@given(st.data())
@settings(max_examples=40, deadline=None)
def test_agrees_with_the_plain_loop_also_when_killed_anywhere(
    theme: Theme, data: st.DataObject
) -> None:
    plan = theme.plan
    state, oracle = fresh(plan, 0), Oracle(plan, 0)
    for rows, now in data.draw(scattered(theme.groups)):
        done = evaluate(plan, Batch.of(rows), state, now)
        assert by_subject(done.transitions) == by_subject(oracle.evaluate(rows, now))
        assert not done.failures
        state = done.state
        if data.draw(st.booleans()):
            saved = dump(state, plan)
            if data.draw(st.booleans()):
                (saved,) = regroup([saved], lambda _: 0, 1)
            state, withdrawn = restore(saved, plan, now)
            assert withdrawn == []


@EACH
@given(st.data(), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_repetition_within_a_batch_matters(
    theme: Theme, data: st.DataObject, random: object
) -> None:
    plan = theme.plan
    state = fresh(plan, 0)
    for rows, now in data.draw(scattered(theme.groups)):
        mixed = rows + rows[::2]
        random.shuffle(mixed)  # type: ignore[attr-defined]
        done = evaluate(plan, Batch.of(rows), state, now)
        other = evaluate(plan, Batch.of(mixed), state, now)
        assert by_subject(done.transitions) == by_subject(other.transitions)
        assert dump(done.state, plan) == dump(other.state, plan)
        state = done.state


def run(plan: Plan, instants: list[list[Reading]], cuts: set[int], end: int) -> list[Transition]:
    """Deliver the instants in batches that end at these places, then a tick at `end`."""
    state = fresh(plan, 0)
    said: list[Transition] = []
    for start, stop in pairwise(sorted({0, len(instants), *cuts})):
        rows = [row for instant in instants[start:stop] for row in instant]
        now = max((row.time for row in rows), default=0)
        done = evaluate(plan, Batch.of(rows), state, now)
        state, said = done.state, said + done.transitions
    return said + evaluate(plan, Batch.empty(), state, end).transitions


@EACH
@given(st.data(), st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_says_the_same_in_whatever_batches_readings_come(
    theme: Theme, data: st.DataObject, rest: int
) -> None:
    plan, instants = theme.plan, data.draw(timed(theme.groups))
    end = max((row.time for instant in instants for row in instant), default=0) + seconds(rest)
    cuts = data.draw(st.sets(st.integers(0, len(instants))))
    whole = by_subject(run(plan, instants, set(), end))
    assert whole == by_subject(run(plan, instants, set(range(len(instants))), end))
    assert whole == by_subject(run(plan, instants, cuts, end))


@EACH
@given(st.data())
@settings(max_examples=20, deadline=None)
def test_hearing_a_batch_again_says_nothing_more(theme: Theme, data: st.DataObject) -> None:
    plan = theme.plan
    state = fresh(plan, 0)
    for rows, now in data.draw(scattered(theme.groups)):
        state = evaluate(plan, Batch.of(rows), state, now).state
        again = evaluate(plan, Batch.of(rows), state, now)
        assert again.transitions == []
        assert dump(again.state, plan) == dump(state, plan)
