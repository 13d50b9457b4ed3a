"""Rules over derived numbers against plain loops, and against themselves: cut, repeated, killed."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules import oracle_occupancy, oracle_score  # noqa: F401 - they know the kinds
from tests.rules.community import seconds
from tests.rules.derived_town import (
    AWAY_MONITOR,
    BAND,
    BAYS,
    DOORS,
    GATEWAY,
    MONITOR,
    OTHER_BAND,
    OTHER_BAYS,
    PLAN,
    SMOKES,
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
KEEN = [
    (device, name, value)
    for device in (MONITOR, OTHER_BAND, AWAY_MONITOR)
    for name, values in VITALS.items()
    for value in values
]
OTHERS = [
    *((BAND, name, value) for name in ("spo2", "pulse") for value in VITALS[name]),
    *((bay, "occupied", value) for bay in (*BAYS, *OTHER_BAYS) for value in (0.0, 1.0, 1.0)),
    *((bay, "battery", 50.0) for bay in (*BAYS, *SMOKES)),
    *((one, "temperature", value) for one in SMOKES for value in (20.0, 60.0)),
    *((door, "heartbeat", value) for door in DOORS for value in (1.0, 0.0)),
    *((BAND, "battery", 50.0), (GATEWAY, "heartbeat", 1.0), (GATEWAY, "heartbeat", 0.0)),
]
SOURCES = st.sampled_from([*KEEN, *OTHERS])
STEPS = st.sampled_from([0, 1, 1, 2, 3, 5, 10, 20, 31, 45, 100])
USUAL = {name: values[0] for name, values in VITALS.items()} | {"spo2": 97.0, "systolic": 120.0}

Told = tuple[int, str, float]
Batches = list[tuple[list[Reading], int]]


def checkup(device: int) -> list[Told]:
    return [(device, name, value) for name, value in USUAL.items()]


GROUPS = st.one_of(
    st.lists(SOURCES, max_size=6),
    st.builds(
        lambda bays: [(bay, "occupied", 1.0) for bay in bays], st.sets(st.sampled_from(BAYS))
    ),
    st.builds(checkup, st.sampled_from([MONITOR, OTHER_BAND, AWAY_MONITOR])),
)


@st.composite
def timed(draw: st.DrawFn) -> list[list[Reading]]:
    """Readings by instant, ascending, that arrive at once; of one instant each sensor once."""
    instants, now = [], 0
    for group in draw(st.lists(GROUPS, max_size=25)):
        now += seconds(draw(STEPS)) + 1
        once = {(device, name): value for device, name, value in group}
        instants.append([Reading(now, now, d, metric(n).id, v) for (d, n), v in once.items()])
    return instants


@st.composite
def scattered(draw: st.DrawFn) -> Batches:
    """Batches, each with the `now` after it: late, early and simultaneous readings."""
    batches, now = [], 0
    for groups in draw(st.lists(st.lists(GROUPS, max_size=3), max_size=10)):
        rows = {}
        for group in groups:
            time = seconds(now + draw(st.integers(-20, 20)))
            arrival = seconds(now + draw(st.integers(-5, 45)))
            for device, name, value in group:
                number = metric(name).id
                rows[device, number, time] = Reading(time, arrival, device, number, value)
        now += draw(STEPS)
        batches.append((list(rows.values()), seconds(now)))
    return batches


@given(scattered(), st.data())
@settings(max_examples=50, deadline=None)
def test_agrees_with_the_plain_loop_also_when_killed_anywhere(
    batches: Batches, data: st.DataObject
) -> None:
    state, oracle = fresh(PLAN, 0), Oracle(PLAN, 0)
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        assert by_subject(done.transitions) == by_subject(oracle.evaluate(rows, now))
        assert not done.failures
        state = done.state
        if data.draw(st.booleans()):
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []


@given(scattered(), st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_the_order_within_a_batch_does_not_matter(batches: Batches, random: object) -> None:
    state = fresh(PLAN, 0)
    for rows, now in batches:
        mixed = rows.copy()
        random.shuffle(mixed)  # type: ignore[attr-defined]
        done = evaluate(PLAN, Batch.of(rows), state, now)
        other = evaluate(PLAN, Batch.of(mixed), state, now)
        assert by_subject(done.transitions) == by_subject(other.transitions)
        assert dump(done.state, PLAN) == dump(other.state, PLAN)
        state = done.state


def run(instants: list[list[Reading]], cuts: set[int], end: int) -> list[Transition]:
    """Deliver the instants in batches that end at these places, then a tick at `end`."""
    state = fresh(PLAN, 0)
    said: list[Transition] = []
    for start, stop in pairwise(sorted({0, len(instants), *cuts})):
        rows = [row for instant in instants[start:stop] for row in instant]
        now = max((row.time for row in rows), default=0)
        done = evaluate(PLAN, Batch.of(rows), state, now)
        state, said = done.state, said + done.transitions
    return said + evaluate(PLAN, Batch.empty(), state, end).transitions


@given(timed(), st.data(), st.integers(0, 200))
@settings(max_examples=50, deadline=None)
def test_says_the_same_in_whatever_batches_readings_come(
    instants: list[list[Reading]], data: st.DataObject, rest: int
) -> None:
    end = max((row.time for instant in instants for row in instant), default=0) + seconds(rest)
    cuts = data.draw(st.sets(st.integers(0, len(instants))))
    whole = by_subject(run(instants, set(), end))
    assert whole == by_subject(run(instants, set(range(len(instants))), end))
    assert whole == by_subject(run(instants, cuts, end))


@given(scattered())
@settings(max_examples=25, deadline=None)
def test_hearing_a_batch_again_says_nothing_more(batches: Batches) -> None:
    state = fresh(PLAN, 0)
    for rows, now in batches:
        state = evaluate(PLAN, Batch.of(rows), state, now).state
        again = evaluate(PLAN, Batch.of(rows), state, now)
        assert again.transitions == []
        assert dump(again.state, PLAN) == dump(state, PLAN)
