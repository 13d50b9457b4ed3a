"""What is not told because another rule is firing there, and when it is told after all."""

from dataclasses import replace

import pytest

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import Rule, SubjectKind
from rules.plan import Plan, make_plan
from rules.regroup import regroup
from rules.state import State, carry_over, dump, fresh, restore
from rules.transition import Subject, Transition
from tests.rules.community import (
    AWAY_WEARABLE,
    DOOR,
    MOTION,
    MOTION_TOO,
    OTHER_DOOR,
    WEARABLE,
    batch,
    inventory,
    reading,
    rule,
    seconds,
    told,
)

GRAVE = rule("x.grave", "watch: {metric: spo2}\nwhen: spo2 <= 85")
LOW = rule("x.low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: x.grave")
SPAN = {"x.grave": [("fired", 1), ("cleared", 5)], "x.low": [("fired", 5), ("cleared", 9)]}
READINGS = [(1, 80.0), (3, 84.0), (5, 88.0), (9, 97.0)]


def spo2(time: float, value: float, device: int = WEARABLE) -> Reading:
    return reading(time, device, "spo2", value)


def plan_of(*rules: Rule) -> Plan:
    return make_plan(rules, inventory(away=()))


def run(plan: Plan, state: State, *batches: Batch, now: float) -> tuple[State, list[Transition]]:
    said: list[Transition] = []
    for rows in batches:
        done = evaluate(plan, rows, state, seconds(now))
        assert done.failures == ()
        state, said = done.state, said + done.transitions
    return state, said


def of(code: str, said: list[Transition]) -> list[tuple[str, float]]:
    return [(c, at) for c, _, _, at in told(t for t in said if t.rule.code == code)]


@pytest.mark.parametrize("rules", [(GRAVE, LOW), (LOW, GRAVE)], ids=["before", "after"])
@pytest.mark.parametrize("whole", [True, False], ids=["one batch", "one by one"])
def test_it_is_told_when_the_other_has_ended_and_it_is_still_true(
    rules: tuple[Rule, ...], whole: bool
) -> None:
    plan = plan_of(*rules)
    rows = [spo2(*r) for r in READINGS]
    batches = [batch(*rows)] if whole else [batch(row) for row in rows]
    _, said = run(plan, fresh(plan, 0), *batches, now=9)
    assert {code: of(code, said) for code in SPAN} == SPAN
    (low,) = [t for t in said if t.rule is LOW and t.change == "fired"]
    assert (low.since, low.value) == (seconds(1), 80.0)


def test_what_has_ended_meanwhile_is_never_told() -> None:
    plan = plan_of(GRAVE, LOW)
    _, said = run(plan, fresh(plan, 0), batch(spo2(1, 80), spo2(2, 97)), now=3)
    assert of("x.low", said) == []


def test_another_device_is_told_of() -> None:
    plan = plan_of(GRAVE, LOW)
    rows = batch(spo2(1, 80), spo2(2, 90, AWAY_WEARABLE))
    _, said = run(plan, fresh(plan, 0), rows, now=3)
    assert [t.subject.id for t in said if t.rule is LOW] == [AWAY_WEARABLE]


def test_an_area_keeps_what_is_in_it_quiet() -> None:
    several = rule(
        "x.several", "watch: {metric: access_denied}\nwhen: count >= 3\nwithin: 9s\nper: building"
    )
    one = rule(
        "x.one", "watch: {metric: access_denied}\nwhen: count >= 2\nwithin: 9s\nunless: x.several"
    )
    plan = plan_of(one, several)
    rows = [reading(t, d, "access_denied", 1) for t, d in ((1, DOOR), (2, OTHER_DOOR), (3, DOOR))]
    _, said = run(plan, fresh(plan, 0), batch(*rows), now=3)
    assert [t.rule.code for t in said] == ["x.several"]


def test_it_is_told_once_the_other_rule_is_gone() -> None:
    plan, without = plan_of(GRAVE, LOW), plan_of(LOW)
    state, said = run(plan, fresh(plan, 0), batch(spo2(1, 80)), now=2)
    assert of("x.low", said) == []
    for carried, withdrawn in (
        carry_over(state, plan, without, seconds(3)),
        restore(dump(state, plan), without, seconds(3)),
    ):
        assert [t.rule.code for t in withdrawn] == ["x.grave"]
        _, later = run(without, carried, Batch.empty(), now=4)
        assert told(later) == [("fired", "condition_held", 1, 4)]


def test_what_was_held_back_is_not_withdrawn() -> None:
    plan, without = plan_of(GRAVE, LOW), plan_of(GRAVE)
    state, _ = run(plan, fresh(plan, 0), batch(spo2(1, 80)), now=2)
    carried, withdrawn = carry_over(state, plan, without, seconds(3))
    assert (withdrawn, carried.held) == ([], {})


def test_it_goes_along_when_shards_are_divided_anew() -> None:
    plan = plan_of(GRAVE, LOW)
    rows = batch(spo2(1, 80), spo2(1, 80, AWAY_WEARABLE))
    state, _ = run(plan, fresh(plan, 0), rows, now=2)

    def owner(subject: Subject) -> int:
        assert subject.kind is SubjectKind.DEVICE
        return subject.id % 2

    for number, part in enumerate(regroup([dump(state, plan)], owner, 2)):
        mine, _ = restore(part, plan, seconds(3))
        expected = {WEARABLE, AWAY_WEARABLE}
        assert set(mine.held["x.low"]) == {d for d in expected if d % 2 == number}


def test_a_silence_meanwhile_is_told_with_it() -> None:
    steady = rule(
        "x.steady", "watch: {metric: access_denied}\nwhen: count >= 1\nwithin: 50s\nper: building"
    )
    low = rule("x.low", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: x.steady")
    plan = plan_of(steady, low)
    denied = [reading(t, d, "access_denied", 1) for t, d in ((1, DOOR), (30, OTHER_DOOR))]
    beats = [reading(t, d, "heartbeat", 1) for t in (25, 45, 65) for d in (DOOR, OTHER_DOOR)]
    state, said = run(plan, fresh(plan, 0), batch(spo2(2, 80), denied[0], *beats), now=66)
    assert of("x.low", said) == [("fired", 51), ("went_silent", 51)]
    del state


def test_what_is_missing_and_stands_is_held_back_until_the_other_has_ended() -> None:
    """As an alert that lasts; only what a name joins is of a moment."""
    missing = rule(
        "x.missing",
        "first: {metric: spo2, where: spo2 <= 91}\nthen: {metric: sos}\nwithin: 10s\n"
        "same: device\nmissing: true\nunless: x.grave",
    )
    plan = plan_of(GRAVE, missing)
    rows = [spo2(t, value) for t, value in ((1, 97), (2, 80), (15, 80), (20, 97))]
    _, said = run(plan, fresh(plan, 0), *map(batch, rows), now=20)
    assert of("x.missing", said) == [("fired", 20)]
    _, said = run(plan, fresh(plan, 0), *map(batch, rows[:3]), now=15)
    assert of("x.missing", said) == []


def test_what_is_missing_and_stands_keeps_others_quiet() -> None:
    missing = rule(
        "x.missing",
        "first: {metric: spo2, where: spo2 <= 91}\nthen: {metric: sos}\nwithin: 10s\n"
        "same: device\nmissing: true",
    )
    pulse = rule("x.pulse", "watch: {metric: pulse}\nwhen: pulse > 90\nunless: x.missing")
    plan = plan_of(missing, pulse)
    early = [spo2(1, 97), spo2(2, 80), reading(15, WEARABLE, "pulse", 99)]
    answer = reading(20, WEARABLE, "sos", 1)
    _, said = run(plan, fresh(plan, 0), *map(batch, [*early, answer]), now=20)
    assert of("x.missing", said) == [("fired", 12), ("cleared", 20)]
    assert of("x.pulse", said) == [("fired", 20)]


CALLED = "first: {metric: sos}\nthen: {metric: motion, where: motion == 1}\nwithin: 4s\n"
MISSED = rule("x.missed", f"{CALLED}same: household\nmissing: true\nunless: x.grave")


def test_what_is_missing_in_a_home_is_held_back_and_told_when_the_other_has_ended() -> None:
    """A reading ends it, so it is not of a moment; it keeps others quiet, too."""
    plan = plan_of(MISSED, GRAVE)
    rows = [spo2(1, 80), reading(2, WEARABLE, "sos", 1), reading(3, MOTION, "motion", 0)]
    rows += [reading(3, MOTION_TOO, "motion", 0), spo2(9, 97)]
    _, said = run(plan, fresh(plan, 0), batch(*rows), now=12)
    assert of("x.missed", said) == [("fired", 9)]
    loud = replace(MISSED, unless=())
    quiet = rule("x.quiet", "watch: {metric: pulse}\nwhen: pulse > 1\nunless: x.missed")
    plan = plan_of(loud, quiet)
    rows = [*rows[1:4], reading(5, WEARABLE, "pulse", 9), reading(8, WEARABLE, "pulse", 0)]
    rows += [reading(8.5, WEARABLE, "pulse", 9)]
    _, said = run(plan, fresh(plan, 0), batch(*rows), now=12)
    assert of("x.quiet", said) == [("fired", 5), ("cleared", 8)]
