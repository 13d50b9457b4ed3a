"""A rule of whatever kind in which an error shows: it is told of and left out, the others go on."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from devices.reading import Batch
from rules import evaluate, risk
from rules.evaluate import advance
from rules.model import Rule
from rules.plan import make_plan, without
from rules.risk import RiskMemory
from rules.state import carry_over, dump, fresh, restore
from tests.rules.community import MOTION, WEARABLE, batch, reading, rule, seconds, told
from tests.rules.every_kind import ENTRY, KINDS, METER, place

WITNESS = rule("witness", "watch: {metric: spo2}\nwhen: spo2 <= 91")
QUIET = rule("quiet", "watch: {metric: spo2}\nwhen: spo2 <= 92\nunless: witness")


def heard(time: float, spo2: float) -> Batch:
    """Something for each of the kinds."""
    said = ((WEARABLE, "spo2", spo2), (WEARABLE, "pulse", 140), (WEARABLE, "sos", 1))
    further = ((MOTION, "motion", 1), (METER, "water_volume", time), (ENTRY, "access_granted", 1))
    return batch(*(reading(time, *one) for one in (*said, *further)))


def broken(*_: object) -> None:
    raise ZeroDivisionError("broken on purpose")


def break_kind(kind: type[Any], part: str, patch: pytest.MonkeyPatch) -> None:
    """Let this kind raise where it folds readings in, or where its timers fire."""
    if kind is RiskMemory:
        patch.setattr(risk, {"fold": "feed", "tick": "tick"}[part], broken)
        return
    judge = evaluate.JUDGES[kind]
    judge = judge._replace(fold=broken) if part == "fold" else judge._replace(tick=broken)
    judges: Mapping[type[Any], evaluate.Judge] = {**evaluate.JUDGES, kind: judge}
    patch.setattr(evaluate, "JUDGES", judges)


def test_every_kind_that_judges_is_tried() -> None:
    assert KINDS.keys() == evaluate.JUDGES.keys()
    plan = make_plan([*KINDS.values()], place())
    state = fresh(plan, 0)
    assert [type(memory) for memory in state.memories] == [*KINDS]
    assert all(len(own.subject_ids) for own in plan.rules)


@pytest.mark.parametrize("part", ["fold", "tick"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_rule_that_fails_inside_stops_no_other(
    kind: type[Any], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [one for its, one in KINDS.items() if its is not kind]
    mine = KINDS[kind]
    witness: list[Rule] = [replace(WITNESS, severity=mine.severity)]
    if kind.__name__ == "ThresholdMemory":
        witness = [rule("witness", "watch: {metric: spo2}\nwhen: count >= 1\nwithin: 2s")]
    plan = make_plan([*witness, *others[:8], mine, *others[8:]], place())
    state = advance(plan, heard(1, 97), fresh(plan, 0), seconds(1)).state
    state.looks.clear()  # every timer is looked at
    with monkeypatch.context() as patch:
        break_kind(kind, part, patch)
        done = advance(plan, heard(5, 90), state, seconds(6))
    (failure,) = done.failures
    assert (failure.rule, str(failure.error)) == (mine, "broken on purpose")
    said = [t for t in done.transitions if t.rule.code == "witness"]
    assert [one[0] for one in told(said)][-1:] == ["fired"]
    assert mine.code not in {t.rule.code for t in done.transitions}
    left = without(plan, {mine.code})
    state, _ = carry_over(done.state, plan, left, seconds(6))
    state, _ = restore(dump(state, left), left, seconds(6))
    later = advance(left, heard(9, 97), state, seconds(12))
    assert later.failures == ()
    assert "witness" in {t.rule.code for t in later.transitions}


def test_a_rule_that_fails_when_it_is_to_be_kept_quiet_stops_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = make_plan([QUIET, WITNESS], place())
    with monkeypatch.context() as patch:
        patch.setattr(type(plan.whereabouts), "slots", broken)
        done = advance(plan, heard(1, 90), fresh(plan, 0), seconds(2))
    assert [failure.rule.code for failure in done.failures] == ["quiet"]
    assert [t.rule.code for t in done.transitions] == ["witness"]
