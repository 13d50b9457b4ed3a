"""Several in a row, case by case. Devices count as silent after 30 s."""

import pytest

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import InARow, Per, Rule, SubjectKind
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from rules.written import write
from tests.rules.community import batch, reading, rule, seconds, told
from tests.rules.derived_town import DOORS, HOME, ROWS, town
from tests.rules.test_loader import problems_of, rule_text

DOOR, OTHER_DOOR = DOORS
WRONG = (
    "watch: {metric: access_denied}\n in_a_row: 5\n when: access_denied == 1\n"
    " reset: {metric: access_granted}"
)


def judge(body: str, *steps: tuple[Batch | None, float]) -> list[Transition]:
    plan = make_plan([rule("x", body)], town())
    state, said = fresh(plan, 0), list[Transition]()
    for part, now in steps:
        done = evaluate(plan, part or Batch.empty(), state, seconds(now))
        assert done.failures == ()
        state, _ = restore(dump(done.state, plan), plan, seconds(now))
        said += done.transitions
    return said


def denied(*times: float, device: int = DOOR) -> list[Reading]:
    return [reading(time, device, "access_denied", 1) for time in times]


def granted(time: float, device: int = DOOR) -> Reading:
    return reading(time, device, "access_granted", 1)


def test_the_fifth_in_a_row_at_one_door_fires_since_the_first_and_a_grant_clears() -> None:
    """GB 50396-2007, 5.1.5."""
    first, last = batch(*denied(1, 2, 3)), batch(*denied(70, 500))
    said = judge(WRONG, (first, 3), (last, 500), (None, 900), (batch(granted(999)), 999))
    assert told(said) == [
        ("fired", "count_reached", 1, 500),
        ("cleared", "condition_ended", 1, 999),
    ]
    assert [(t.value, t.devices) for t in said] == [(5.0, (DOOR,)), (None, (DOOR,))]


def test_a_grant_between_begins_the_row_anew() -> None:
    rows = batch(*denied(1, 2, 3, 4), granted(5), *denied(6, 7, 8, 9))
    assert judge(WRONG, (rows, 9)) == []
    said = judge(WRONG, (rows, 9), (batch(*denied(10)), 10))
    assert told(said) == [("fired", "count_reached", 6, 10)]


def test_each_door_has_a_row_of_its_own_unless_the_rule_is_of_a_household() -> None:
    rows = batch(*denied(1, 2, 3), *denied(4, 5, device=OTHER_DOOR))
    assert judge(WRONG, (rows, 5)) == []
    said = judge(WRONG + "\n per: household", (rows, 5))
    assert told(said) == [("fired", "count_reached", 1, 5)]
    assert (said[0].subject.id, said[0].devices) == (HOME, DOORS)


def test_more_of_them_and_the_same_again_say_nothing() -> None:
    five = batch(*denied(1, 2, 3, 4, 5))
    assert len(judge(WRONG, (five, 5), (five, 6), (batch(*denied(7, 8, 9, 10, 11, 12)), 12))) == 1
    assert judge(WRONG, *[(batch(*denied(1)), 1)] * 6) == []


def test_of_one_instant_what_resets_comes_last() -> None:
    rows = batch(granted(5), *denied(1, 2, 3, 4, 5))
    assert [t.change for t in judge(WRONG, (rows, 5))] == ["fired", "cleared"]
    assert judge(WRONG, (batch(granted(4), *denied(1, 2, 3, 4)), 4), (batch(*denied(5)), 5)) == []


def test_without_a_reset_a_reading_that_is_otherwise_breaks_the_row() -> None:
    body = "watch: {metric: pulse, device: d2}\n in_a_row: 3\n when: pulse > 90"
    rows = [reading(t, 2, "pulse", v) for t, v in ((1, 95), (2, 99), (3, 80), (4, 95), (5, 95))]
    assert judge(body, (batch(*rows), 5)) == []
    said = judge(body, (batch(*rows), 5), (batch(reading(6, 2, "pulse", 91)), 6))
    assert told(said) == [("fired", "count_reached", 4, 6)]
    said = judge(body + "\n reset: pulse < 60", (batch(*rows), 5))
    assert told(said) == [("fired", "count_reached", 1, 4)]


def test_it_ends_so_long_after_the_last_but_not_by_silence() -> None:
    body = WRONG + "\n clear_after: 20s"
    five, sixth = batch(*denied(1, 2, 3, 4, 5)), batch(*denied(9))
    said = judge(body, (five, 5), (sixth, 9), (None, 29), (None, 29.1))
    assert told(said)[1:] == [("cleared", "count_fell", 1, 29)]
    longer = WRONG + "\n clear_after: 50s"
    beat = batch(reading(70, DOOR, "heartbeat", 1))
    assert len(judge(longer, (five, 5), (None, 500))) == 1
    said = judge(longer, (five, 5), (None, 60), (beat, 70))
    assert told(said)[1:] == [("cleared", "count_fell", 1, 55)]


def test_after_such_an_end_a_row_begins_anew() -> None:
    body = WRONG + "\n clear_after: 20s"
    rows = batch(*denied(1, 2, 3, 4, 5), *denied(30, 31, 32, 33))
    assert [t.change for t in judge(body, (rows, 33))] == ["fired", "cleared"]
    said = judge(body, (rows, 33), (batch(*denied(34)), 34))
    assert told(said)[2:] == [("fired", "count_reached", 30, 34)]


def test_a_reading_that_comes_late_is_ignored_of_the_same_device_only() -> None:
    home = WRONG + "\n per: household"
    first = batch(*denied(10, 11, 12, 13))
    assert judge(home, (first, 13), (batch(*denied(9)), 13)) == []
    said = judge(home, (first, 13), (batch(*denied(9, device=OTHER_DOOR)), 13))
    assert told(said) == [("fired", "count_reached", 10, 13)]


@pytest.mark.parametrize("made", ROWS, ids=lambda r: r.code)
def test_a_row_written_out_reads_back_as_the_same(made: Rule) -> None:
    (again,) = load({"w": write(made)})
    assert (again.condition, again.watch) == (made.condition, made.watch)
    assert again.fingerprint == made.fingerprint


def test_the_subject_is_the_device_unless_said_otherwise() -> None:
    condition = rule("x", WRONG).condition
    assert isinstance(condition, InARow)
    assert condition.per == Per(SubjectKind.DEVICE)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            ("in_a_row: 5", "in_a_row: 1"),
            "r.yaml:6: 'in_a_row' of rule a.b: 1 is not a whole number from 2 to 1000",
        ),
        (
            ("metric: access_granted", "metric: access_grant"),
            "r.yaml:8: 'reset.metric' of rule a.b: unknown metric 'access_grant' (did you mean",
        ),
        (
            ("metric: access_granted", "metric: access_denied"),
            "r.yaml:8: 'reset.metric' of rule a.b: is the watched one",
        ),
        (
            ("reset: {metric: access_granted}", "per: device"),
            "r.yaml:6: 'in_a_row' of rule a.b: 'access_denied' is momentary: nothing would ever",
        ),
        (
            ("reset: {metric: access_granted}", "reset: access_denied > 0"),
            "r.yaml:8: 'reset' of rule a.b: 'access_denied > 0' can hold together with 'when'",
        ),
        (("when: access_denied == 1", "per: device"), "r.yaml:1: 'when' of rule a.b: is missing"),
        (("when: access_denied == 1", "when: value == 1\nno_data: alert"), "r.yaml:8: 'no_data'"),
    ],
)
def test_says_the_mistake_and_what_was_meant(change: tuple[str, str], expected: str) -> None:
    body = WRONG.replace("\n ", "\n").replace(*change)
    (problem,) = problems_of(rule_text(body))
    assert problem.startswith(expected)
