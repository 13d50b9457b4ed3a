"""Rules with `told: false`: they keep others quiet, and are no alerts themselves."""

from dataclasses import replace

import pytest

from devices.reading import Batch
from rules.errors import RulesError
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Rule
from rules.plan import make_plan
from rules.state import carry_over, dump, fresh, restore
from rules.transition import Transition
from rules.written import write
from tests.rules.community import WEARABLE, batch, inventory, reading, rule, seconds

QUIET = rule("x.quiet", "watch: {metric: spo2}\nwhen: spo2 <= 85\ntold: false")
LOW = rule("x.low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: x.quiet")
INDEX = rule(
    "x.index",
    "index: {weights: {red: 2, orange: 2, yellow: 2, blue: 2}}\nper: building\nwhen: index >= 2",
)


def said_of(*rules: Rule, values: tuple[float, ...]) -> list[Transition]:
    plan = make_plan(rules, inventory(away=()))
    rows = batch(*(reading(n + 1, WEARABLE, "spo2", v) for n, v in enumerate(values)))
    done = evaluate(plan, rows, fresh(plan, 0), seconds(len(values) + 1))
    assert done.failures == ()
    return done.transitions


def test_it_says_nothing_and_keeps_the_other_quiet_as_long_as_it_is_true() -> None:
    said = said_of(QUIET, LOW, values=(80, 84, 88, 97))
    assert [(t.rule.code, t.change, t.at) for t in said] == [
        ("x.low", "fired", seconds(3)),
        ("x.low", "cleared", seconds(4)),
    ]
    assert said_of(QUIET, LOW, values=(80, 97)) == []


def test_a_risk_index_does_not_count_it() -> None:
    assert said_of(QUIET, INDEX, values=(80,)) == []
    told = replace(QUIET, told=True)
    assert [t.rule.code for t in said_of(told, INDEX, values=(80,))] == ["x.quiet", "x.index"]


def test_nothing_is_withdrawn_when_it_goes() -> None:
    plan, without = (make_plan(r, inventory(away=())) for r in ((QUIET, LOW), (LOW,)))
    rows = batch(reading(1, WEARABLE, "spo2", 80))
    state = evaluate(plan, rows, fresh(plan, 0), seconds(2)).state
    for carried, withdrawn in (
        carry_over(state, plan, without, seconds(3)),
        restore(dump(state, plan), without, seconds(3)),
    ):
        assert withdrawn == []
        later = evaluate(without, Batch.empty(), carried, seconds(4)).transitions
        assert [(t.rule.code, t.change) for t in later] == [("x.low", "fired")]


def test_a_rule_that_is_told_from_now_on_begins_anew() -> None:
    again, told = (load({"r.yaml": write(r)})[0] for r in (QUIET, replace(QUIET, told=True)))
    assert (again.told, again.fingerprint) == (False, QUIET.fingerprint)
    assert told.told
    assert told.fingerprint != QUIET.fingerprint


def test_anything_but_true_and_false_is_refused() -> None:
    with pytest.raises(RulesError, match="'nobody' is neither true nor false"):
        rule("x.odd", "watch: {metric: spo2}\nwhen: spo2 <= 85\ntold: nobody")
