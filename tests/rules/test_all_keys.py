"""Rules of every kind with every key: against plain loops, killed anywhere, cut, mixed, divided.

`KEYED_EXAMPLES=50 pytest tests/rules/test_all_keys.py` runs fifty times as many examples: do so
after a change of the evaluator.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import NamedTuple, get_args

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from devices.instant import SECOND, Micros, format_duration
from devices.metric import metric
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.keys import LONGEST_LATENESS
from rules.model import Condition, Joined, Replaced, Rule
from rules.plan import Plan, make_plan
from rules.regroup import regroup
from rules.state import State, carry_over, dump, fresh, restore
from rules.transition import Subject, Transition
from tests.rules.keyed_rules import KINDS, Group, is_sound, keys_of, made, options, rules_with
from tests.rules.keyed_town import METERS, is_far, town
from tests.rules.oracle import Oracle, by_subject

TIMES = int(os.environ.get("KEYED_EXAMPLES", "1"))
EACH = pytest.mark.parametrize("name", KINDS)

Batches = list[tuple[list[Reading], Micros]]

STEPS = (0, 1, 1, 2, 3, 5, 10, 20, 31, 45, 100)
LATENESS_S = 30


def heard_by(names: Iterable[str]) -> list[Group]:
    """What rules of these kinds hear."""
    return [group for name in dict.fromkeys(names) for group in KINDS[name].groups]


class Speaking:
    """Makes readings of what devices say; counters count up."""

    def __init__(self, chance: Random, groups: Sequence[Group], unit: int) -> None:
        self.chance, self.groups, self.unit = chance, groups, unit
        self.total = dict.fromkeys((*METERS, 27), 5.0)
        self.rows: dict[tuple[int, int, Micros], Reading] = {}
        self.came: dict[tuple[int, Micros], Micros] = {}

    def say(self, time: Micros, arrival: Micros) -> list[Reading]:
        """What comes of one group that is said at this time, of a sensor once.

        What a device says of one time comes in one message.
        """
        new = []
        for told in self.chance.choice(self.groups):
            key = told.device, metric(told.metric).id, time
            if key in self.rows:
                continue
            value = told.value
            if told.metric == "water_volume":
                value = self.total[told.device] = max(0.0, self.total[told.device] + value)
            came = self.came.setdefault((told.device, time), arrival)
            row = Reading(time, came, told.device, key[1], value, told.token, told.issue)
            self.rows[key] = row
            new.append(row)
        return new


def spoken(chance: Random, groups: Sequence[Group], unit: int, size: int = 40) -> list[Reading]:
    """Readings by time that arrive at once."""
    speaking, now, rows = Speaking(chance, groups, unit), 0, list[Reading]()
    for _ in range(chance.randint(0, size)):
        now += chance.choice(STEPS) * unit * SECOND
        rows += speaking.say(now, now)
    return rows


def scattered(chance: Random, groups: Sequence[Group], unit: int) -> Batches:
    """Batches, each with the `now` after it: late, early and simultaneous readings."""
    speaking, now, batches = Speaking(chance, groups, unit), 0, Batches()
    for _ in range(chance.randint(0, 10)):
        rows = []
        for _ in range(chance.randint(0, 6)):
            time = now + chance.randint(-20, 20) * unit * SECOND
            arrival = now + chance.randint(-5, 45) * unit * SECOND
            rows += speaking.say(time, arrival)
        now += chance.choice(STEPS) * unit * SECOND
        batches.append((rows, now))
    return batches


def cut(chance: Random, rows: list[Reading], rest: Micros) -> Batches:
    """The same in batches, what is of one instant in one, and a tick after them."""
    begins = [i for i in range(1, len(rows)) if rows[i].time > rows[i - 1].time]
    cuts = {chance.choice(begins) for _ in range(chance.randint(0, 12)) if begins}
    parts = [rows[a:b] for a, b in pairwise(sorted({0, len(rows), *cuts}))]
    batches = [(part, max(row.time for row in part)) for part in parts]
    end = batches[-1][1] if batches else 0
    return [*batches, ([], end + rest)]


def said(transitions: Iterable[Transition]) -> object:
    """By subject. What is told of a subject at one instant for several names has no order; sums
    may be taken in another order."""
    return {
        key: sorted(told, key=lambda t: (t.at, t.since, t.devices))
        if of_names(told[0].rule)
        else told
        for key, told in by_subject(rounded(t) for t in transitions).items()
    }


def of_names(rule: Rule) -> bool:
    condition = rule.condition
    return isinstance(condition, Replaced) or (
        isinstance(condition, Joined) and condition.same.named
    )


def rounded(transition: Transition) -> Transition:
    value = transition.value
    if value is None:
        return transition
    return replace(transition, value=round(float(f"{value:.9g}"), 6) + 0.0)


class Step(NamedTuple):
    """A batch, in what order and how often it is given, and what happens after it."""

    rows: list[Reading]
    mixed: list[Reading]
    now: Micros
    how: int


def steps_of(chance: Random, batches: Batches) -> list[Step]:
    """In any order, some rows twice."""
    steps = []
    for rows, now in batches:
        mixed = rows + [row for row in rows if chance.randint(0, 3) == 0]
        chance.shuffle(mixed)
        steps.append(Step(rows, mixed, now, chance.randint(0, 15)))
    return steps


def reborn(how: int, state: State, plan: Plan, now: Micros) -> State:
    """The state after the service was stopped, or its rules were applied anew, or neither."""
    withdrawn: list[Transition] = []
    if how in {1, 2, 3}:
        saved = dump(state, plan)
        if how > 1:
            parts = regroup([saved], by_place, 2) if how == 3 else [saved]
            (saved,) = regroup(parts, lambda _: 0, 1)
        state, withdrawn = restore(saved, plan, now)
    elif how == 4:
        state, withdrawn = carry_over(state, plan, plan, now)
    assert withdrawn == []
    return state


def by_place(subject: Subject) -> int:
    return int(is_far(str(subject.kind), subject.id))


@EACH
@given(st.randoms(use_true_random=False))
@settings(max_examples=15 * TIMES, deadline=None)
def test_agrees_with_the_plain_loops_however_mixed_repeated_and_killed(
    name: str, chance: Random
) -> None:
    names, rules = rules_with(chance, name)
    unit = KINDS[name].unit
    late = all(KINDS[one].late for one in names)
    steps = steps_of(chance, heard(chance, heard_by(names), unit, late=late))
    note_rules(rules)
    agree(make_plan(rules, town(unit)), steps)


def note_rules(rules: Sequence[Rule]) -> None:
    """For a person who has to find out why."""
    note("\n".join(rule.text for rule in rules))


def agree(plan: Plan, steps: Sequence[Step]) -> None:
    """Whether the plain loops say the same."""
    state, oracle = fresh(plan, 0), Oracle(plan, 0)
    for rows, mixed, now, how in steps:
        done = evaluate(plan, Batch.of(mixed), state, now)
        assert not done.failures
        assert said(done.transitions) == said(oracle.evaluate(rows, now))
        state = reborn(how, done.state, plan, now)


def heard(chance: Random, groups: Sequence[Group], unit: int, *, late: bool) -> Batches:
    """Batches, with what comes late where that may be."""
    if late and chance.randint(0, 3):
        return scattered(chance, groups, unit)
    rest = chance.randint(0, 200) * unit * SECOND
    return cut(chance, spoken(chance, groups, unit), rest)


@EACH
@given(st.randoms(use_true_random=False))
@settings(max_examples=6 * TIMES, deadline=None)
def test_whatever_order_readings_come_in_within_the_lateness_the_alerts_are_the_same(
    name: str, chance: Random
) -> None:
    """Those that each rule tells if all comes at once.

    Also when it judges at other moments, but for absences, which go by when something was heard,
    and what gateways leave unknown that come and go within one batch.
    """
    unit = KINDS[name].unit
    late = LATENESS_S * unit * SECOND if unit < HOURLY else LONGEST_LATENESS
    text = f"lateness: {format_duration(late)}"
    names, rules = rules_with(chance, name, late=text)
    plan = make_plan(rules, town(unit))
    rows = spoken(chance, heard_by(names), unit)
    note_rules(rules)
    end = (rows[-1].time if rows else 0) + 100 * unit * SECOND + late
    nows = sorted({*(chance.randint(0, end) for _ in range(chance.randint(0, 10))), end})
    if "absence" not in names:
        alone = make_plan(rules, town(unit, gateways=False))
        others = sorted({*(chance.randint(0, end) for _ in range(3)), end})
        assert said(delivered(chance, alone, rows, others, late)) == said(
            delivered(chance, alone, rows, nows, late)
        )
    assert said(delivered(chance, plan, rows, nows, late)) == said(
        delivered(chance, plan, rows, nows, 0)
    )


HOURLY = 3600


def delivered(
    chance: Random, plan: Plan, rows: Sequence[Reading], nows: Sequence[Micros], late: Micros
) -> list[Transition]:
    """What is told if each comes so late at most, in the first batch after it came."""
    waiting = [row._replace(arrival=row.time + chance.randint(0, late)) for row in rows]
    state, told = fresh(plan, 0), list[Transition]()
    for now in nows:
        heard = [row for row in waiting if row.arrival <= now]
        waiting = [row for row in waiting if row.arrival > now]
        chance.shuffle(heard)
        done = evaluate(plan, Batch.of(heard), state, now)
        assert not done.failures
        told += done.transitions
        state = reborn(chance.randint(0, 15), done.state, plan, now)
    return told


@pytest.mark.parametrize("name", [name for name in KINDS if name != "absence"])
@given(st.randoms(use_true_random=False))
@settings(max_examples=6 * TIMES, deadline=None)
def test_says_the_same_in_whatever_batches_readings_come(name: str, chance: Random) -> None:
    """But for absences, which go by the server's clock, and what a gateway leaves unknown.

    All rules have the same lateness: one that waits asks what stands when it tells.
    """
    unit = KINDS[name].unit
    late = chance.choice(("lateness: 0s", "lateness: 30s" if unit == 1 else "lateness: 30m"))
    names, rules = rules_with(chance, name, late=late, without=frozenset({"absence"}))
    plan = make_plan(rules, town(unit, gateways=False))
    rows = spoken(chance, heard_by(names), unit)
    note_rules(rules)
    rest = chance.randint(0, 200) * unit * SECOND
    whole = in_batches(plan, [(rows, max([0, *(row.time for row in rows)]) + rest)])
    assert said(in_batches(plan, cut(chance, rows, rest))) == said(whole)


def in_batches(plan: Plan, batches: Batches) -> list[Transition]:
    state, told = fresh(plan, 0), list[Transition]()
    for rows, now in batches:
        done = evaluate(plan, Batch.of(rows), state, now)
        assert not done.failures
        state, told = done.state, told + done.transitions
    return told


@EACH
@given(st.randoms(use_true_random=False))
@settings(max_examples=5 * TIMES, deadline=None)
def test_communities_on_shards_of_their_own_say_the_same_as_together(
    name: str, chance: Random
) -> None:
    """They are together, then apart, then together again."""
    names, rules = rules_with(chance, name)
    unit = KINDS[name].unit
    plan = make_plan(rules, town(unit))
    parts = [make_plan(rules, town(unit, near=near, far=not near)) for near in (True, False)]
    late = all(KINDS[one].late for one in names)
    batches = heard(chance, heard_by(names), unit, late=late)
    note_rules(rules)
    first, last = sorted(chance.randint(0, len(batches)) for _ in range(2))
    state = whole = fresh(plan, 0)
    states: list[State] = []
    for number, (rows, now) in enumerate(batches):
        before = batches[number - 1][1] if number else 0
        if number == first:
            saved = regroup([dump(state, plan)], by_place, 2)
            states = [restore(d, own, before)[0] for d, own in zip(saved, parts, strict=True)]
        if number == last and states:
            saved = [dump(s, own) for s, own in zip(states, parts, strict=True)]
            state, states = restore(regroup(saved, lambda _: 0, 1)[0], plan, before)[0], []
        expected = evaluate(plan, Batch.of(rows), whole, now)
        whole = expected.state
        if not states:
            done = evaluate(plan, Batch.of(rows), state, now)
            state, told = done.state, done.transitions
        else:
            each = [
                evaluate(own, Batch.of(mine(rows, far=far)), s, now)
                for far, (s, own) in enumerate(zip(states, parts, strict=True))
            ]
            states = [one.state for one in each]
            told = [t for one in each for t in one.transitions]
        assert said(told) == said(expected.transitions)


def mine(rows: Sequence[Reading], *, far: int) -> list[Reading]:
    """The readings of this community's devices."""
    return [row for row in rows if is_far("device", row.device) == bool(far)]


EVERY = frozenset({"active", "lateness", "unless"})
JUDGED = EVERY | {"severity", "for", "keep_for"}
KEYS = {
    "threshold": JUDGED | {"no_data"},
    "press": EVERY | {"severity"},
    "score": JUDGED | {"no_data"},
    "occupancy": JUDGED | {"no_data"},
    "measure": JUDGED | {"no_data"},
    "index": JUDGED,
    "baseline": EVERY | {"for", "keep_for"},
}


@pytest.mark.parametrize("name", KINDS)
def test_every_key_is_drawn_that_the_loader_lets_a_kind_have(name: str) -> None:
    assert keys_of(name) == KEYS.get(name, EVERY)
    may = options(name)
    for key in keys_of(name):
        bodies = KINDS[name].bodies
        assert all(is_sound(name, f"{body}\n{text}") for text in may[key] for body in bodies)


def test_every_kind_is_drawn() -> None:
    drawn = {
        type(made("x", name, body).condition) for name, it in KINDS.items() for body in it.bodies
    }
    assert drawn == set(get_args(Condition))
