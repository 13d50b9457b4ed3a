"""Two readings that belong together: against plain loops; cut, shuffled, repeated, killed."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.inventory import Area, Device, Household, Inventory
from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import SubjectKind
from rules.plan import make_plan
from rules.regroup import regroup
from rules.state import carry_over, dump, fresh, restore
from rules.transition import Change, Subject, Transition
from tests.rules.community import NAME, device, rule, seconds
from tests.rules.oracle import TRACKS, Oracle, by_subject

READER, CONTACT, FAR, LOCK, GATE, EXIT, SOS, MOTION, GATEWAY = range(1, 10)
HOME, COMMUNITY, BUILDING = 1, 1, 2
OPENS = "first: {metric: access_granted}\nthen: {metric: door_open, where: door_open == 1}\n"
STAYS = "first: {metric: vehicle_entry}\nthen: {metric: vehicle_exit}\n"
TWICE = "first: {metric: access_granted}\nthen: {metric: access_granted}\n"
RULES = (
    rule("s.opens", f"{OPENS}within: 10s\nsame: door"),
    rule("s.lock", f"{OPENS}within: 5s\nsame: device"),
    rule("s.twice", f"{TWICE}within: 50s\nsame: credential\ndifferent: device"),
    rule("s.fast", f"{TWICE}within: 50s\nsame: credential\nspeed: 10"),
    rule("s.again", f"{TWICE}within: 20s\nsame: door"),
    rule(
        "s.moves",
        "first: {metric: motion, where: motion == 1}\nthen: {metric: sos}\n"
        "within: 20s\nsame: household\nunless: household.away",
    ),
    rule("m.opens", f"{OPENS}within: 10s\nsame: door\nmissing: true"),
    rule("m.long", f"{OPENS}within: 45s\nsame: door\nmissing: true"),
    rule("m.stays", f"{STAYS}within: 20s\nsame: plate\nmissing: true"),
    rule(
        "m.closes",
        "first: {metric: door_open, where: door_open == 1}\n"
        "then: {metric: door_open, where: door_open == 0}\n"
        "within: 15s\nsame: device\nmissing: true",
    ),
    rule(
        "w.forced",
        "watch: {metric: door_open}\nwhen: door_open == 1\n"
        "without: {metric: access_granted, within: 10s}\nsame: door",
    ),
    rule(
        "w.leaves",
        "watch: {metric: vehicle_exit}\nwhen: vehicle_exit == 1\n"
        "without: {metric: vehicle_entry, within: 20s}\nsame: plate",
    ),
    rule("r.card", "watch: {metric: access_granted}\nreplaced: 100s"),
    rule(
        "w.calls",
        "watch: {metric: sos}\nwhen: sos == 1\n"
        "without: {metric: motion, where: motion == 1, within: 15s}\nsame: household",
    ),
)
BY_NAME_CODES = frozenset(("r.card", "s.twice", "s.fast", "m.stays", "w.leaves"))
"""Rules that join by whom events name: their alerts are about devices, several at a time."""


def place(*, gateway: bool = False, away: bool = False) -> Inventory:
    """Two doors, a lock, a gate in and one out, and a home."""
    devices: tuple[Device, ...] = (
        device(READER, "door", ("access_granted",), attributes={"door": 1, "x": 0, "y": 0}),
        device(CONTACT, "door", ("door_open",), attributes={"door": 1}),
        device(FAR, "door", ("access_granted",), attributes={"door": 1, "x": 0, "y": 300}),
        device(LOCK, "door", ("access_granted", "door_open"), attributes={"x": 5, "y": 0}),
        device(GATE, "barrier", ("vehicle_entry",)),
        device(EXIT, "barrier", ("vehicle_exit",)),
        device(SOS, "sos_button", ("sos",), household=HOME),
        device(MOTION, "motion_sensor", ("motion",), household=HOME),
    )
    if gateway:
        behind = {CONTACT, EXIT, MOTION}
        devices = tuple(replace(d, gateway=GATEWAY) if d.id in behind else d for d in devices)
        devices += (device(GATEWAY, "gateway", ("heartbeat",)),)
    return Inventory.of(
        (
            Area(COMMUNITY, "c", "community", None, NAME),
            Area(BUILDING, "b1", "building", COMMUNITY, NAME),
        ),
        (Household(HOME, "h1", BUILDING, NAME, care=True, away=away),),
        devices,
    )


PLAN = make_plan(RULES, place(gateway=True))
PLAIN = make_plan(RULES, place())

Source: TypeAlias = tuple[int, str, float, int, int]
SOURCES = st.sampled_from(
    [
        (device, name, value, token, issue)
        for devices, name, values, tokens in (
            ((READER, FAR, LOCK), "access_granted", (1.0,), (0, 7, 7, -8)),
            ((CONTACT, LOCK), "door_open", (0.0, 1.0, 1.0), (0,)),
            ((GATE,), "vehicle_entry", (1.0,), (7, -8)),
            ((EXIT,), "vehicle_exit", (1.0,), (7, -8)),
            ((SOS,), "sos", (0.0, 1.0), (0,)),
            ((MOTION,), "motion", (0.0, 1.0), (0,)),
            ((CONTACT, EXIT, READER), "heartbeat", (1.0, 0.0), (0,)),
            ((GATEWAY,), "heartbeat", (1.0, 1.0, 0.0), (0,)),
        )
        for device in devices
        for value in values
        for token in tokens
        for issue in ((1, 2, 0) if token == 7 else (0,))
    ]
)
STEPS = st.sampled_from([1, 1, 2, 2, 3, 5, 5, 10, 20, 31, 45, 700])


def said_by(source: Source, time: int, arrival: int) -> Reading:
    number, name, value, token, issue = source
    return Reading(time, arrival, number, metric(name).id, value, token, issue)


@st.composite
def timed(draw: st.DrawFn, size: int = 60) -> list[Reading]:
    """Readings at different times, ascending, that arrive at once."""
    rows, now = [], 0
    for source in draw(st.lists(SOURCES, max_size=size)):
        now += seconds(draw(STEPS))
        rows.append(said_by(source, now, now))
    return rows


@st.composite
def scattered(draw: st.DrawFn) -> list[tuple[list[Reading], int]]:
    """Batches, each with the `now` after it: late, repeated, early and simultaneous readings."""
    batches, now = [], 0
    for sources in draw(st.lists(st.lists(SOURCES, max_size=14), max_size=9)):
        rows = []
        for source in sources:
            time = seconds(now + draw(st.integers(-20, 40)))
            arrival = seconds(now + draw(st.integers(-5, 45)))
            rows.append(said_by(source, time, arrival))
        now += draw(STEPS)
        batches.append((rows, seconds(now)))
    return batches


def told(transitions: Iterable[Transition]) -> dict[tuple[str, SubjectKind, int], list[Transition]]:
    """By subject; what a subject is told of at one instant for several names has no order."""
    return {
        key: sorted(said, key=lambda t: (t.at, t.since, t.devices))
        if key[0] in BY_NAME_CODES
        else said
        for key, said in by_subject(transitions).items()
    }


def test_every_kind_has_a_plain_loop() -> None:
    assert {type(r.condition) for r in RULES} <= TRACKS.keys()


@given(scattered(), st.data())
@settings(max_examples=50, deadline=None)
def test_agrees_with_the_plain_loop_also_when_killed_anywhere(
    batches: list[tuple[list[Reading], int]], data: st.DataObject
) -> None:
    state, oracle, said = fresh(PLAN, 0), Oracle(PLAN, 0), list[Transition]()
    for rows, now in batches:
        done = evaluate(PLAN, Batch.of(rows), state, now)
        expected = oracle.evaluate(rows, now)
        assert not done.failures
        assert told(done.transitions) == told(expected)
        state, said = done.state, said + done.transitions
        if data.draw(st.booleans()):
            state, withdrawn = restore(dump(state, PLAN), PLAN, now)
            assert withdrawn == []
    assert_spans(said)


def run(rows: list[Reading], cuts: set[int], end: int) -> list[Transition]:
    """Deliver the rows in batches that end at these places, then a tick at `end`."""
    state = fresh(PLAIN, 0)
    said: list[Transition] = []
    for start, stop in pairwise(sorted({0, len(rows), *cuts})):
        part = rows[start:stop]
        done = evaluate(PLAIN, Batch.of(part), state, max(row.time for row in part))
        assert not done.failures
        state, said = done.state, said + done.transitions
    return said + evaluate(PLAIN, Batch.empty(), state, end).transitions


@given(timed(), st.data(), st.integers(0, 200))
@settings(max_examples=40, deadline=None)
def test_says_the_same_in_whatever_batches_and_order_readings_come(
    rows: list[Reading], data: st.DataObject, rest: int
) -> None:
    end = (rows[-1].time if rows else 0) + seconds(rest)
    cuts = data.draw(st.sets(st.integers(0, len(rows)))) if rows else set()
    whole = told(run(rows, set(), end))
    assert whole == told(run(rows, set(range(len(rows))), end))
    assert whole == told(run(rows, cuts, end))
    assert whole == told(run(data.draw(st.permutations(rows)), set(), end))


@given(scattered())
@settings(max_examples=25, deadline=None)
def test_hearing_a_batch_again_says_nothing_more(
    batches: list[tuple[list[Reading], int]],
) -> None:
    state = fresh(PLAN, 0)
    for rows, now in batches:
        before = dump(state, PLAN)
        after = evaluate(PLAN, Batch.of(rows), state, now).state
        assert dump(state, PLAN) == before
        again = evaluate(PLAN, Batch.of(rows), after, now)
        assert again.transitions == []
        assert dump(again.state, PLAN) == dump(after, PLAN)
        state = after


def assert_spans(said: list[Transition]) -> None:
    """Each span has one beginning and at most one end, not before it."""
    for (code, _, _), spells in by_subject(said).items():
        begun = [t.since for t in spells if t.change is Change.FIRED]
        ended = [t.since for t in spells if t.change is Change.CLEARED]
        assert code in BY_NAME_CODES or len(set(begun)) == len(begun)
        assert len(set(ended)) == len(ended)
        assert set(ended) <= set(begun)
        assert all(t.at >= t.since for t in spells)


@given(timed(30), st.data(), st.integers(0, 60))
@settings(max_examples=15, deadline=None)
def test_a_state_divided_among_shards_and_put_together_again_is_the_same(
    rows: list[Reading], data: st.DataObject, rest: int
) -> None:
    cut = data.draw(st.integers(0, len(rows)))
    now = rows[cut - 1].time if cut else 0
    state = evaluate(PLAIN, Batch.of(rows[:cut]), fresh(PLAIN, 0), now).state

    def owner(subject: Subject) -> int:
        return subject.id % 2

    saved = regroup([dump(state, PLAIN)], owner, 2)
    (joined,) = regroup(saved, lambda _: 0, 1)
    back, withdrawn = restore(joined, PLAIN, now)
    assert withdrawn == []
    assert len(saved) == 2
    end = (rows[-1].time if rows else 0) + seconds(rest)
    one, other = (evaluate(PLAIN, Batch.of(rows[cut:]), s, end) for s in (state, back))
    assert told(one.transitions) == told(other.transitions)


def test_what_is_remembered_goes_along_to_a_changed_site() -> None:
    rows = [
        said_by((READER, "access_granted", 1.0, 7, 0), seconds(t), seconds(t)) for t in (3, 12, 21)
    ]
    rows.append(said_by((CONTACT, "door_open", 0.0, 0, 0), seconds(22), seconds(22)))
    state = evaluate(PLAIN, Batch.of(rows), fresh(PLAIN, 0), seconds(22)).state
    more = place(gateway=True)
    site = Inventory.of(
        more.areas.values(),
        more.households.values(),
        (*more.devices.values(), device(50, "door", ("access_granted", "door_open"))),
    )
    wider = make_plan(RULES, site)
    carried, withdrawn = carry_over(state, PLAIN, wider, seconds(22))
    saved, again = restore(dump(state, PLAIN), wider, seconds(22))
    assert withdrawn == again == []
    assert dump(carried, wider) == dump(saved, wider)
    opened = said_by((CONTACT, "door_open", 1.0, 0, 0), seconds(25), seconds(25))
    done = evaluate(wider, Batch.of([opened]), carried, seconds(25))
    assert ("s.opens", seconds(21)) in [(t.rule.code, t.since) for t in done.transitions]


def test_what_stands_is_withdrawn_with_its_door() -> None:
    closed = said_by((CONTACT, "door_open", 0.0, 0, 0), seconds(1), seconds(1))
    grant = said_by((READER, "access_granted", 1.0, 7, 0), seconds(3), seconds(3))
    done = evaluate(PLAIN, Batch.of([closed, grant]), fresh(PLAIN, 0), seconds(20))
    assert [t.rule.code for t in done.transitions] == ["m.opens"]
    whole = place()
    site = Inventory.of(
        whole.areas.values(),
        whole.households.values(),
        (d for d in whole.devices.values() if d.id not in {READER, FAR}),
    )
    _, withdrawn = carry_over(done.state, PLAIN, make_plan(RULES, site), seconds(30))
    (gone,) = withdrawn
    assert (gone.rule.code, gone.change, gone.since) == ("m.opens", "withdrawn", seconds(3))


def test_nobody_is_waited_for_while_a_home_is_away() -> None:
    """Nor is a call without movement told of what could not be known."""
    away = make_plan(
        [
            rule(
                "w.calls",
                "watch: {metric: sos}\nwhen: sos == 1\nunless: household.away\n"
                "without: {metric: motion, where: motion == 1, within: 15s}\nsame: household",
            )
        ],
        place(away=True),
    )
    home = make_plan([away.rules[0].rule], place())

    def beats(*times: float) -> list[Reading]:
        return [said_by((MOTION, "motion", 0.0, 0, 0), seconds(t), seconds(t)) for t in times]

    def call(time: float) -> Reading:
        return said_by((SOS, "sos", 1.0, 0, 0), seconds(time), seconds(time))

    state = evaluate(away, Batch.of([*beats(20, 40), call(41)]), fresh(away, 0), seconds(50)).state
    state, _ = carry_over(state, away, home, seconds(50))
    done = evaluate(home, Batch.of([*beats(60), call(61), call(66)]), state, seconds(70))
    assert [t.at for t in done.transitions] == [seconds(66)]


def test_tokens_are_no_numbers_to_calculate_with() -> None:
    """The lowest and the highest, and one that is negative, join as others do."""
    for token in (-(2**63), 2**63 - 1, -1):
        rows = [
            said_by((d, "access_granted", 1.0, token, 0), seconds(d), seconds(d)) for d in (1, 3)
        ]
        done = evaluate(PLAIN, Batch.of(rows), fresh(PLAIN, 0), seconds(9))
        codes = sorted(t.rule.code for t in done.transitions)
        assert codes == ["s.again", "s.fast", "s.twice"]
        assert np.isin(token, Batch.of(rows).token)
