"""Rules that have no turn at a batch would have had nothing to say, and nothing to note."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.metric import BY_NAME
from devices.reading import Batch, Reading
from rules import evaluate
from rules.memory import ThresholdMemory, forget_bounds
from rules.plan import Plan, make_plan
from rules.state import dump, fresh
from rules.turn import Turn
from tests.rules import test_derived_properties as derived
from tests.rules import test_measure_properties as measures
from tests.rules import test_sequence_properties as sequences
from tests.rules.community import (
    KEY_RULES,
    RULES,
    WEARABLE,
    batch,
    behind_gateway,
    reading,
    rule,
    seconds,
)
from tests.rules.oracle import by_subject
from tests.rules.test_evaluate_properties import scattered
from tests.rules.test_lateness import LATE

PLAN = make_plan([*RULES, *KEY_RULES, *LATE], behind_gateway())

Batches = list[tuple[list[Reading], int]]


def agree(plan: Plan, batches: Batches) -> None:
    """With all timers looked at after each batch the same is said and remembered."""
    state, looked_at = fresh(plan, 0), fresh(plan, 0)
    for rows, now in batches:
        done = evaluate.advance(plan, Batch.of(rows), state, now)
        looked_at.looks.clear()
        for memory in looked_at.memories:
            forget_bounds(memory)
        other = evaluate.advance(plan, Batch.of(rows), looked_at, now)
        assert done.failures == other.failures == ()
        assert by_subject(done.transitions) == by_subject(other.transitions)
    assert dump(state, plan) == dump(looked_at, plan)


@given(scattered())
@settings(max_examples=25, deadline=None)
def test_no_look_at_a_timer_is_missed(batches: Batches) -> None:
    agree(PLAN, batches)


def test_a_silence_that_comes_sooner_by_a_first_word_from_before_is_not_missed() -> None:
    """It was said before the device became known, and heard by a rule that waits."""
    early = Reading(-seconds(7), 0, WEARABLE, BY_NAME["battery"].id, 90.0)
    agree(PLAN, [([early], seconds(1)), ([], seconds(54))])


@derived.EACH
@given(st.data())
@settings(max_examples=15, deadline=None)
def test_no_look_at_a_timer_of_a_derived_number_is_missed(
    theme: derived.Theme, data: st.DataObject
) -> None:
    agree(theme.plan, data.draw(derived.scattered(theme.groups)))


@given(sequences.scattered())
@settings(max_examples=20, deadline=None)
def test_no_look_at_a_timer_of_a_sequence_is_missed(batches: Batches) -> None:
    agree(sequences.PLAN, batches)


@given(measures.streams())
@settings(max_examples=8, deadline=None)
def test_no_look_at_a_timer_of_a_measure_is_missed(rows: list[Reading]) -> None:
    agree(measures.PLAN, [([row], row.arrival) for row in rows])


def test_only_rules_that_a_batch_concerns_have_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    bodies = ("{metric: spo2}\nwhen: spo2 < 91", "{metric: pulse}\nwhen: pulse > 120\nfor: 9s")
    plan = make_plan(
        [rule(f"r.{n}", f"watch: {b}") for n, b in enumerate(bodies)], behind_gateway()
    )
    state, asked = fresh(plan, 0), list[tuple[str, str]]()
    judge = evaluate.JUDGES[ThresholdMemory]

    def fold(turn: Turn, *rest: Any) -> None:
        asked.append(("fold", turn.own.rule.code))
        judge.fold(turn, *rest)

    def tick(turn: Turn, *rest: Any) -> None:
        asked.append(("tick", turn.own.rule.code))
        judge.tick(turn, *rest)

    seen = judge._replace(fold=fold, tick=tick)
    monkeypatch.setattr(evaluate, "JUDGES", {**evaluate.JUDGES, ThresholdMemory: seen})

    def asks(now: float, *rows: Reading) -> list[tuple[str, str]]:
        asked.clear()
        evaluate.advance(plan, batch(*rows), state, seconds(now))
        return list(asked)

    assert asks(1) == [("tick", "r.0"), ("tick", "r.1")]
    assert asks(2, reading(2, WEARABLE, "spo2", 97)) == []
    assert asks(3, reading(3, WEARABLE, "pulse", 130)) == [("fold", "r.1"), ("tick", "r.1")]
    assert asks(5, reading(5, WEARABLE, "spo2", 96)) == []
    assert asks(6, reading(6, WEARABLE, "spo2", 90)) == [("fold", "r.0"), ("tick", "r.0")]
    assert asks(12) == [("tick", "r.1")]
