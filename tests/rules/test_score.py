"""Score rules case by case."""

from dataclasses import replace

import pytest

from devices.instant import HOUR
from devices.inventory import Area, Household, Inventory
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import Rule, Score
from rules.plan import make_plan
from rules.state import carry_over, fresh
from rules.transition import Transition
from rules.written import write
from tests.rules.community import NAME, batch, device, reading, rule, seconds, told
from tests.rules.derived_town import AWAY_MONITOR, BAND, HOME, MONITOR, OTHER_BAND, SCORES, town
from tests.rules.test_loader import problems_of, rule_text
from tests.rules.test_news2 import WELL

NEWS = "score: news2\n when: total >= 5 or single >= 3\n valid: 100s"


def checkup(time: float, device: int = MONITOR, **given: float) -> list[Reading]:
    return [reading(time, device, name, value) for name, value in (WELL | given).items()]


def judge(made: Rule | str, *steps: tuple[Batch | None, float]) -> list[Transition]:
    plan = make_plan([rule("x", made) if isinstance(made, str) else made], town())
    state, said = fresh(plan, 0), list[Transition]()
    for part, now in steps:
        done = evaluate(plan, part or Batch.empty(), state, seconds(now))
        assert done.failures == ()
        state, said = done.state, said + done.transitions
    return said


def test_five_fires_with_the_total_and_all_devices_of_the_home_and_less_clears() -> None:
    ill = batch(*checkup(1, spo2=94, pulse=95, breathing_rate=22, systolic=105))
    better = batch(reading(20, BAND, "pulse", 70))
    said = judge(NEWS, (ill, 1), (better, 20))
    assert told(said) == [("fired", "condition_held", 1, 1), ("cleared", "condition_ended", 1, 20)]
    assert [t.value for t in said] == [5.0, 4.0]
    assert said[0].subject.id == HOME
    assert {BAND, MONITOR} <= set(said[0].devices)


def test_a_single_three_is_enough() -> None:
    assert [t.value for t in judge(NEWS, (batch(*checkup(1, pulse=131)), 1))] == [3.0]


@pytest.mark.parametrize("missing", sorted(WELL))
def test_without_any_one_parameter_there_is_no_total(missing: str) -> None:
    known = [r for r in checkup(1, pulse=135, spo2=80) if r != reading(1, 2, missing, r.value)]
    assert len(known) == len(WELL) - 1
    assert judge(NEWS, (batch(*known), 1), (None, 500)) == []


def test_air_and_alertness_may_be_assumed_and_what_was_heard_counts_all_the_same() -> None:
    body = NEWS.replace("single >= 3", "single >= 4") + "\n assume: [air, alert]"
    some = [r for r in checkup(1, spo2=91, breathing_rate=22) if r.metric not in (47, 75)]
    assert [t.value for t in judge(body, (batch(*some), 1))] == [5.0]
    calm = [r for r in checkup(1, breathing_rate=22, spo2=94) if r.metric not in (47, 75)]
    given = reading(2, MONITOR, "oxygen_flow", 1)
    assert [t.value for t in judge(body, (batch(*calm, given), 2))] == [5.0]


def test_oxygen_that_was_given_is_not_taken_for_ended_by_silence() -> None:
    body = "score: news2\n when: total >= 1\n valid: 100s\n assume: [air, alert]"
    oxygen = batch(*checkup(1, oxygen_flow=2))
    rest = [r for r in checkup(90) if r.metric != 47]
    said = judge(body, (oxygen, 1), (batch(*rest), 90), (None, 120))
    assert told(said)[1:] == [("went_silent", "sensor_silent", 1, 101)]
    said = judge(body, (oxygen, 1), (batch(*rest, reading(95, MONITOR, "oxygen_flow", 0)), 180))
    assert told(said)[1:] == [("cleared", "condition_ended", 1, 95)]


def test_a_parameter_that_has_aged_makes_an_alert_unknown_until_it_is_heard() -> None:
    ill = batch(*checkup(1, pulse=135))
    still = batch(reading(60, BAND, "pulse", 135))
    again = batch(*checkup(150, pulse=135))
    said = judge(NEWS, (ill, 1), (still, 60), (None, 101), (None, 102), (again, 150))
    assert told(said) == [
        ("fired", "condition_held", 1, 1),
        ("went_silent", "sensor_silent", 1, 101),
        ("heard_again", "heard", 1, 150),
    ]


def test_a_reading_that_comes_when_it_has_aged_makes_no_total() -> None:
    rest = batch(*(r for r in checkup(150) if r.metric != 35))
    late = batch(reading(20, BAND, "pulse", 140, arrival=151))
    fresher = batch(reading(60, BAND, "pulse", 140, arrival=152))
    assert judge(NEWS, (rest, 150), (late, 151)) == []
    said = judge(NEWS, (rest, 150), (late, 151), (fresher, 152))
    assert told(said) == [("fired", "condition_held", 150, 150)]


GRADED = NEWS + "\n severity: {red: total >= 7, orange: total >= 5 or single >= 3}"


@pytest.mark.parametrize("whole", [True, False], ids=["one batch", "one by one"])
def test_the_colour_rises_and_falls_with_the_total(whole: bool) -> None:
    ill = {"spo2": 94, "pulse": 95, "breathing_rate": 22, "systolic": 105}
    later = [reading(t, d, "pulse", p) for t, d, p in ((4, BAND, 115), (6, MONITOR, 132))]
    calmer = [reading(t, BAND, "pulse", p) for t, p in ((7, 95), (9, 70))]
    rows = [*checkup(1, **ill), *later, *calmer]
    steps = [(batch(*rows), 9.0)] if whole else [(batch(r), r.time / 1e6) for r in rows]
    said = judge(GRADED, *steps)
    assert [(t.change, t.at // 1_000_000, t.severity, t.value) for t in said] == [
        ("fired", 1, "orange", 5.0),
        ("graded", 6, "red", 7.0),
        ("graded", 7, "orange", 5.0),
        ("cleared", 9, "orange", 4.0),
    ]


@pytest.mark.parametrize("whole", [True, False], ids=["one batch", "one by one"])
def test_an_alert_for_want_of_a_total_has_the_least_grave_colour(whole: bool) -> None:
    body = GRADED.replace("single >= 3", "single >= 4") + "\n no_data: alert\n for: 1h"
    ill, again = checkup(1, pulse=132, breathing_rate=25, systolic=105), checkup(102, pulse=70)
    steps = [([*ill, *again], 102.0)] if whole else [(ill, 1.0), ([], 102.0), (again, 102.0)]
    said = judge(body, *((batch(*rows), now) for rows, now in steps))
    assert [(t.change, t.at // 1_000_000, t.severity, t.value) for t in said] == [
        ("fired", 101, "orange", 7.0),
        ("cleared", 102, "orange", 0.0),
    ]


def test_many_homes_age_one_after_another_and_who_is_heard_again_does_not() -> None:
    """More homes than are kept in order of their ageing."""
    homes = range(1, 2_001)
    place = Inventory.of(
        (Area(1, "c", "community", None, NAME),),
        (Household(h, f"h{h}", 1, NAME, care=True, away=False) for h in homes),
        (device(h, "vital_signs", tuple(WELL), household=h, area=1) for h in homes),
    )
    plan = make_plan([rule("x", NEWS + "\n no_data: alert")], place)
    state, said = fresh(plan, 0), list[Transition]()
    heard = [r for h in homes for r in checkup(1 + h / 100, h)]
    steps = [(heard, 30.0), ([], 60.0), (checkup(80, 7), 80.0)]
    for rows, now in (*steps, *(([], 101.5 + t / 2) for t in range(45))):
        done = evaluate(plan, Batch.of(rows), state, seconds(now))
        assert done.failures == ()
        state, said = done.state, said + done.transitions
    assert [(t.subject.id, t.at) for t in said] == [
        (h, seconds(101 + h / 100)) for h in homes if h != 7
    ]


def test_scale_2_is_said_by_any_device_of_the_home() -> None:
    high = batch(*checkup(1, OTHER_BAND, spo2=97, oxygen_flow=1))
    assert [t.value for t in judge(NEWS, (high, 1))] == [5.0]
    low = batch(*checkup(1, OTHER_BAND, spo2=88))
    assert judge(NEWS, (low, 1)) == []
    assert len(judge(NEWS, (batch(*checkup(1, MONITOR, spo2=88)), 1))) == 1


def test_nobody_is_judged_while_away_and_a_timer_begins_anew() -> None:
    body = NEWS + "\n unless: household.away"
    assert judge(body, (batch(*checkup(1, AWAY_MONITOR, pulse=140)), 1)) == []


def moved(
    before: Inventory, after: Inventory, body: str, *steps: list[Reading]
) -> list[Transition]:
    """What follows when the same rule goes on with another place after the first step."""
    one, two = (make_plan([rule("x", body)], place) for place in (before, after))
    state, said = fresh(one, 0), list[Transition]()
    for number, rows in enumerate(steps):
        done = evaluate(two if number else one, Batch.of(rows), state, rows[0].time)
        assert done.failures == ()
        said += done.transitions
        state = done.state if number else carry_over(done.state, one, two, rows[0].time)[0]
    return said


def test_a_scale_that_was_changed_counts_from_the_next_reading_on() -> None:
    first, place = checkup(1, spo2=88), town()
    prescribed = (replace(d, attributes={"spo2_scale": 2.0}) for d in place.devices.values())
    other = Inventory.of(place.areas.values(), place.households.values(), prescribed)
    again = [reading(20, BAND, "pulse", 70)]
    assert told(moved(other, place, NEWS, first, again)) == [("fired", "condition_held", 20, 20)]
    assert moved(other, other, NEWS, first, again) == []


def test_a_total_that_was_high_while_away_counts_from_the_next_reading_on() -> None:
    body, place = NEWS + "\n unless: household.away", town()
    homes = (replace(home, away=False) for home in place.households.values())
    back = Inventory.of(place.areas.values(), homes, place.devices.values())
    ill = checkup(1, AWAY_MONITOR, pulse=140)
    again = [reading(20, AWAY_MONITOR, "systolic", 120)]
    assert [t.at for t in moved(place, back, body, ill, again)] == [seconds(20)]
    assert moved(place, place, body, ill, again) == []


def test_readings_that_change_no_score_keep_the_total_from_ageing() -> None:
    """Each parameter is heard again in its own batch, also late, and twice."""
    rows = [[reading(80 + i, MONITOR, n, v)] for i, (n, v) in enumerate(WELL.items())]
    late = [reading(60, BAND, "pulse", 72), reading(88, BAND, "pulse", 72)]
    twice = [reading(89, BAND, "pulse", 71), reading(90, MONITOR, "pulse", 70)]
    steps = [(checkup(1), 1), *((part, 80 + i) for i, part in enumerate(rows))]
    steps += [(late, 88), (twice, 90), ([reading(150, MONITOR, "pulse", 131)], 150)]
    parts = [(batch(*part), float(now)) for part, now in steps]
    assert told(judge(NEWS, *parts, (None, 300))) == [
        ("fired", "condition_held", 150, 150),
        ("went_silent", "sensor_silent", 150, 180),
    ]


def test_a_firing_total_is_withdrawn_with_its_value_when_the_rule_goes() -> None:
    plan = make_plan([rule("x", NEWS)], town())
    state = evaluate(plan, batch(*checkup(1, pulse=140)), fresh(plan, 0), seconds(1)).state
    _, withdrawn = carry_over(state, plan, make_plan([], town()), seconds(9))
    assert [(t.since, t.value) for t in withdrawn] == [(seconds(1), 3.0)]


def test_defaults_are_twelve_hours_and_nothing_assumed() -> None:
    condition = rule("x", "score: news2\n when: total >= 7").condition
    assert isinstance(condition, Score)
    assert (condition.valid, condition.assume) == (12 * HOUR, frozenset())


@pytest.mark.parametrize("made", SCORES, ids=lambda r: r.code)
def test_a_score_written_out_reads_back_as_the_same(made: Rule) -> None:
    (again,) = load({"w": write(made)})
    assert (again.condition, again.watch) == (made.condition, made.watch)
    assert again.fingerprint == made.fingerprint


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "score: news3\nwhen: total >= 5",
            "r.yaml:5: 'score' of rule a.b: 'news3' is not known (did you mean 'news2'?)",
        ),
        (
            "score: news2",
            (
                "r.yaml:1: 'when' of rule a.b: is missing"
                " (write e.g. when: total >= 5 or single >= 3)"
            ),
        ),
        (
            "score: news2\nwhen: total > 20",
            "r.yaml:6: 'when' of rule a.b: 'total > 20' can never be true",
        ),
        (
            "score: news2\nwhen: total >= 5\nclear: total <= 5",
            (
                "r.yaml:7: 'clear' of rule a.b: contradicts 'when': total 5 would both raise"
                " and clear the alert (leave a distance between the two)"
            ),
        ),
        (
            "score: news2\nwhen: total >= 5\nassume: oxygen",
            ("r.yaml:7: 'assume' of rule a.b: 'oxygen' cannot be assumed (one of 'air', 'alert')"),
        ),
        (
            "score: news2\nwhen: total >= device.limit",
            (
                "r.yaml:6: 'when' of rule a.b: device.limit cannot be used: the number is of"
                " several devices (it has single, total, value)"
            ),
        ),
        (
            "score: news2\nwhen: total >= 5\nwatch: {metric: pulse}",
            "r.yaml:7: 'watch.metric' of rule a.b: unknown key",
        ),
    ],
)
def test_says_the_mistake_and_what_was_meant(body: str, expected: str) -> None:
    (problem,) = problems_of(rule_text(body))
    assert problem.startswith(expected)
