"""States divided among shards and put together again judge as one that was never divided."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.inventory import Inventory
from devices.reading import Batch, Reading
from rules.errors import RuleError
from rules.evaluate import evaluate
from rules.model import SubjectKind
from rules.plan import Plan, make_plan
from rules.regroup import regroup
from rules.state import State, dump, fresh, restore
from rules.transition import Subject, Transition
from tests.rules.community import RULES as ALL_RULES
from tests.rules.community import behind_gateway
from tests.rules.test_evaluate_properties import scattered

SOME = {"t.held", "t.alert", "t.away", "a.home", "a.silent", "w.building", "w.denied", "t.off"}
RULES = tuple(rule for rule in ALL_RULES if rule.code in SOME)
TWINS = 3
APART = 10
"""Ids of a twin's places and devices are so far from those of the one before."""


def twins() -> Inventory:
    """The community with gateways, three times over, as c0, c1 and c2."""
    one = behind_gateway()
    areas, homes, devices = [], [], []
    for twin in range(TWINS):
        by, code = twin * APART, f"c{twin}"
        areas += [
            replace(
                a,
                id=a.id + by,
                code=code if a.kind == "community" else f"{a.code}-{twin}",
                parent=None if a.parent is None else a.parent + by,
            )
            for a in one.areas.values()
        ]
        homes += [replace(h, id=h.id + by, area=h.area + by) for h in one.households.values()]
        devices += [
            replace(
                d,
                id=d.id + by,
                community=code,
                area=d.area + by,
                household=None if d.household is None else d.household + by,
                gateway=None if d.gateway is None else d.gateway + by,
            )
            for d in one.devices.values()
        ]
    return Inventory.of(areas, homes, devices)


WHOLE = twins()
PLAN = make_plan(RULES, WHOLE)
LAYOUTS = ((0, 0, 0), (0, 1, 0), (1, 0, 2), (0, 0, 1))
"""Which shard each twin belongs to."""


def twin_of(subject: Subject) -> int:
    return subject.id // APART


def plans(layout: Sequence[int]) -> list[Plan]:
    return [
        make_plan(
            RULES,
            WHOLE.of_communities({f"c{n}" for n, shard in enumerate(layout) if shard == number}),
        )
        for number in range(max(layout) + 1)
    ]


PLANS: Mapping[tuple[int, ...], list[Plan]] = {layout: plans(layout) for layout in LAYOUTS}


def moved(state: Sequence[State], old: tuple[int, ...], new: tuple[int, ...]) -> list[State]:
    """The states of one layout as those of another."""
    saved = [dump(part, plan) for part, plan in zip(state, PLANS[old], strict=True)]
    parts = regroup(saved, lambda subject: new[twin_of(subject)], max(new) + 1)
    states = []
    for data, plan in zip(parts, PLANS[new], strict=True):
        back, withdrawn = restore(data, plan, 0)
        assert withdrawn == []
        states.append(back)
    return states


def told(transitions: Sequence[Transition]) -> list[str]:
    return sorted(
        f"{t.rule.code} {t.subject} {t.change} {t.cause} {t.since} {t.at} {t.devices} {t.value}"
        for t in transitions
    )


def rows_of(readings: Sequence[Reading], layout: tuple[int, ...], shard: int) -> Batch:
    return Batch.of([r for r in readings if layout[r.device // APART] == shard])


@settings(max_examples=40, deadline=None)
@given(scattered(), st.data())
def test_divided_and_joined_at_any_time_it_judges_as_ever(
    batches: list[tuple[list[Reading], int]], data: st.DataObject
) -> None:
    layout = LAYOUTS[0]
    whole, parts = fresh(PLAN, 0), [fresh(plan, 0) for plan in PLANS[layout]]
    for readings, now in batches:
        spread = [replace_device(r, APART * data.draw(st.integers(0, TWINS - 1))) for r in readings]
        expected = evaluate(PLAN, Batch.of(spread), whole, now)
        whole = expected.state
        wanted = data.draw(st.sampled_from((layout, layout, *LAYOUTS)))
        if wanted != layout:
            parts, layout = moved(parts, layout, wanted), wanted
        said: list[Transition] = []
        for shard, plan in enumerate(PLANS[layout]):
            done = evaluate(plan, rows_of(spread, layout, shard), parts[shard], now)
            parts[shard] = done.state
            said += done.transitions
        assert told(said) == told(expected.transitions)
    (joined,) = moved(parts, layout, LAYOUTS[0])
    for name, array in whole.silence.kept().items():
        np.testing.assert_array_equal(joined.silence.kept()[name], array, err_msg=name)


def replace_device(reading: Reading, by: int) -> Reading:
    return Reading(
        reading.time, reading.arrival, reading.device + by, reading.metric, reading.value
    )


def test_each_subject_goes_to_one_shard_only() -> None:
    state = dump(fresh(PLAN, 0), PLAN)
    kinds = {SubjectKind.DEVICE, SubjectKind.HOUSEHOLD, SubjectKind.AREA}
    asked: set[SubjectKind] = set()

    def owner(subject: Subject) -> int:
        asked.add(subject.kind)
        return twin_of(subject) % 2

    assert len(regroup([state], owner, 2)) == 2
    assert asked == kinds
    assert regroup([], owner, 1) != regroup([state], owner, 1)


def test_a_damaged_state_is_refused() -> None:
    with pytest.raises(RuleError, match="cannot be used"):
        regroup([b"gridwarden-rules-3\nrubbish"], twin_of, 1)
