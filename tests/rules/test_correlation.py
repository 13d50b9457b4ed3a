"""Correlation rules case by case. Devices count as silent after 30 s."""

import pytest

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Rule
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from rules.written import write
from tests.rules.community import batch, reading, rule, seconds, told
from tests.rules.derived_town import BUILDING, MANY, SMOKES, town
from tests.rules.test_loader import problems_of, rule_text

FIRE = "watch: {metric: smoke}\n devices: 3\n within: 20s\n when: smoke == 1\n per: building"
ONE, TWO, THREE, ELSEWHERE = SMOKES


def judge(body: str, *steps: tuple[Batch | None, float]) -> list[Transition]:
    plan = make_plan([rule("x", body)], town(behind=()))
    state, said = fresh(plan, 0), list[Transition]()
    for part, now in steps:
        done = evaluate(plan, part or Batch.empty(), state, seconds(now))
        assert done.failures == ()
        state, _ = restore(dump(done.state, plan), plan, seconds(now))
        said += done.transitions
    return said


def smoke(*told: tuple[float, int], value: float = 1) -> list[Reading]:
    return [reading(time, device, "smoke", value) for time, device in told]


def beats(*times: float) -> list[Reading]:
    return [reading(time, device, "battery", 90) for time in times for device in SMOKES]


THREE_SAY_SO = batch(*smoke((1, ONE), (5, TWO), (20, THREE)))


def test_three_detectors_of_a_building_are_one_warning_that_names_them() -> None:
    said = judge(FIRE, (THREE_SAY_SO, 20))
    assert told(said) == [("fired", "count_reached", 1, 20)]
    assert (said[0].subject.id, said[0].value, said[0].devices) == (BUILDING, 3.0, SMOKES[:3])


@pytest.mark.parametrize(
    "rows",
    [
        smoke((1, ONE), (5, TWO), (21.5, THREE)),
        smoke((1, ONE), (5, TWO), (6, TWO), (7, TWO), (8, ONE)),
        smoke((1, ONE), (5, TWO), (6, ELSEWHERE)),
        [*smoke((1, ONE), (5, TWO)), *smoke((6, THREE), value=0)],
    ],
    ids=["too late", "the same two", "in another building", "one says no"],
)
def test_less_is_no_warning(rows: list[Reading]) -> None:
    assert judge(FIRE, (batch(*rows), 22)) == []


def test_one_that_says_it_again_counts_by_the_last_time() -> None:
    again = batch(*smoke((1, ONE), (15, TWO), (18, ONE), (30, THREE)))
    assert told(judge(FIRE, (again, 30))) == [("fired", "count_reached", 15, 30)]


def test_the_order_in_which_they_come_does_not_matter() -> None:
    steps = [(batch(*smoke((20, THREE))), 20), (batch(*smoke((1, ONE))), 21)]
    said = judge(FIRE, *steps, (batch(*smoke((5, TWO))), 22))
    assert told(said) == [("fired", "count_reached", 1, 20)]


def test_it_ends_after_the_last_when_all_have_said_otherwise_with_those_who_joined() -> None:
    body = FIRE.replace("devices: 3", "devices: 2")
    two, third = batch(*smoke((1, ONE), (5, TWO))), batch(*smoke((18, THREE)))
    off = batch(*smoke((25, ONE), (25, TWO), (25, THREE), value=0))
    said = judge(body, (two, 5), (third, 18), (off, 25), (None, 38), (None, 38.1))
    assert told(said) == [
        ("fired", "count_reached", 1, 5),
        ("cleared", "condition_ended", 1, 38),
    ]
    assert [t.devices for t in said] == [SMOKES[:2], SMOKES[:3]]
    late = batch(*smoke((60, ONE), (60, TWO), (60, THREE), value=0))
    said = judge(body, (two, 5), (third, 18), (batch(*beats(30, 55)), 55), (late, 61))
    assert told(said)[1:] == [("cleared", "condition_ended", 1, 60)]


def test_smoke_that_nobody_took_back_goes_on_however_long_ago() -> None:
    alive = [(batch(*beats(t)), t) for t in range(40, 400, 20)]
    assert len(judge(FIRE, (THREE_SAY_SO, 20), *alive)) == 1


def test_silence_ends_nothing_until_it_is_heard_again() -> None:
    off = batch(*smoke((25, ONE), (25, TWO), (25, THREE), value=0))
    body = FIRE.replace("20s", "60s")
    assert len(judge(body, (THREE_SAY_SO, 20), (off, 25), (None, 500))) == 1
    said = judge(body, (THREE_SAY_SO, 20), (off, 25), (None, 500), (batch(*beats(501)), 501))
    assert told(said)[1:] == [("cleared", "condition_ended", 1, 80)]


def test_another_device_of_the_building_that_is_silent_holds_nothing_up() -> None:
    body = FIRE.replace("devices: 3", "devices: 2")
    off = batch(*smoke((10, ONE), (10, TWO), value=0))
    rows = batch(*smoke((1, ONE), (2, TWO)))
    said = judge(body, (rows, 2), (off, 10), (batch(*beats(30)[:2]), 31))
    assert told(said)[1:] == [("cleared", "condition_ended", 1, 22)]


def test_what_took_part_in_a_warning_counts_in_no_other() -> None:
    off = batch(*smoke((21, ONE), (21, TWO), (21, THREE), value=0))
    more = batch(*smoke((45, ONE), (46, TWO)))
    said = judge(FIRE, (THREE_SAY_SO, 20), (off, 21), (batch(*beats(41)), 42), (more, 46))
    assert [t.change for t in said] == ["fired", "cleared"]


def test_presses_of_a_momentary_metric_end_by_themselves() -> None:
    body = FIRE.replace("smoke", "access_denied").replace("building", "household")
    rows = batch(*(reading(t, d, "access_denied", 1) for t, d in ((1, 30), (2, 31))))
    said = judge(body.replace("devices: 3", "devices: 2"), (rows, 2), (None, 22), (None, 22.1))
    assert told(said) == [("fired", "count_reached", 1, 2), ("cleared", "condition_ended", 1, 22)]


@pytest.mark.parametrize("made", MANY, ids=lambda r: r.code)
def test_a_correlation_written_out_reads_back_as_the_same(made: Rule) -> None:
    (again,) = load({"w": write(made)})
    assert (again.condition, again.watch) == (made.condition, made.watch)
    assert again.fingerprint == made.fingerprint


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("devices: 3", "devices: 1"), "r.yaml:6: 'devices' of rule a.b: 1 is not a whole number"),
        (("within: 20s\n", ""), "r.yaml:1: 'within' of rule a.b: is missing"),
        (("when: smoke == 1\n", ""), "r.yaml:1: 'when' of rule a.b: is missing"),
        (("per: building", "per: device"), "r.yaml:9: 'per' of rule a.b: 'device' has one device"),
        (("smoke == 1", "count > 1"), "r.yaml:8: 'when' of rule a.b: unknown name 'count'"),
        (("per: building", "per: building\nno_data: alert"), "r.yaml:10: 'no_data'"),
    ],
)
def test_says_the_mistake_and_what_was_meant(change: tuple[str, str], expected: str) -> None:
    body = FIRE.replace("\n ", "\n").replace(*change)
    (problem,) = problems_of(rule_text(body))
    assert problem.startswith(expected)
