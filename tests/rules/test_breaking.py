"""A rule of whatever kind in which an error shows: it is told of and left out, the others go on."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from devices.inventory import Inventory
from devices.reading import Batch
from rules import counting, evaluate, risk
from rules.evaluate import advance
from rules.measured import MeasureMemory
from rules.model import Rule
from rules.plan import make_plan, without
from rules.risk import RiskMemory
from rules.state import carry_over, dump, fresh, restore
from tests.rules.community import (
    CARE_HOME,
    MOTION,
    WEARABLE,
    batch,
    device,
    reading,
    rule,
    seconds,
    told,
)
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


MEASURES = [kind for kind in KINDS if issubclass(kind, MeasureMemory)]


def larger() -> Inventory:
    """The place with another wearable and another meter: all measures have more subjects."""
    known, more = place(), [device(30, "wearable", ("pulse",), household=CARE_HOME)]
    more.append(device(31, "water_meter", ("water_volume",), household=CARE_HOME))
    return Inventory.of(
        known.areas.values(), known.households.values(), (*known.devices.values(), *more)
    )


@pytest.mark.parametrize("where", [None, place, larger])
@pytest.mark.parametrize("kind", MEASURES, ids=lambda kind: kind.__name__)
def test_what_cannot_be_counted_stops_no_saving_and_fails_with_the_next_batch(
    kind: type[Any], where: Callable[[], Inventory] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = replace(KINDS[kind], code="mine")
    plan = make_plan([mine, WITNESS], place())
    state = advance(plan, heard(1, 97), fresh(plan, 0), seconds(1)).state
    state = advance(plan, heard(1.4, 90), state, seconds(1.5)).state
    monkeypatch.setattr(counting, "coming_of", broken)
    saved, _ = restore(dump(state, plan), plan, seconds(1.5))
    assert saved.memories[1].firing.any()
    if where is not None:
        old, plan = plan, make_plan([mine, WITNESS], where())
        state, _ = carry_over(state, old, plan, seconds(1.5))
    done = advance(plan, Batch.empty(), state, seconds(1.6))
    assert [failure.rule for failure in done.failures] == [mine]


@pytest.mark.parametrize("kind", MEASURES, ids=lambda kind: kind.__name__)
def test_what_could_not_be_counted_once_is_counted_with_the_next_batch(
    kind: type[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan([KINDS[kind]], place())
    counted = []
    for fails in (True, False):
        state = advance(plan, heard(1, 97), fresh(plan, 0), seconds(1)).state
        state = advance(plan, heard(1.4, 90), state, seconds(1.5)).state
        with monkeypatch.context() as patch:
            if fails:
                patch.setattr(counting, "coming_of", broken)
                dump(state, plan)
        done = advance(plan, heard(80, 97), state, seconds(80))
        assert done.failures == ()
        counted.append(dump(done.state, plan))
    assert counted[0] == counted[1]
