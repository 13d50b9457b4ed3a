"""Measures over windows by example: what is known when, and what a rule file may say of them."""

from dataclasses import replace
from itertools import pairwise

import pytest

from devices.instant import DAY, HOUR, MINUTE, SECOND
from devices.inventory import Inventory
from devices.reading import Batch, Reading
from rules.errors import RulesError
from rules.evaluate import evaluate
from rules.loader import load
from rules.model import CountInWindow, Measure, MeasureInWindow, Rule
from rules.panes import Panes, usual_step
from rules.plan import make_plan
from rules.state import carry_over, dump, fresh, restore
from rules.transition import Transition
from rules.written import write
from tests.rules.community import (
    AWAY_WEARABLE,
    CARE_HOME,
    DOOR,
    OTHER_DOOR,
    WEARABLE,
    batch,
    device,
    inventory,
    reading,
    rule,
    seconds,
    told,
)
from tests.rules.test_measure_properties import METER, RULES, with_meters

LOW = "watch: {metric: water_volume}\n within: 20s\n when: rise < 1\n per: household"
METERED = with_meters()


def run(one: Rule, *batches: tuple[list[Reading], float]) -> list[Transition]:
    """Each batch, with the seconds up to which all was heard then."""
    plan = make_plan([one], METERED)
    state, said = fresh(plan, 0), list[Transition]()
    for rows, now in batches:
        done = evaluate(plan, Batch.of(rows), state, seconds(now))
        assert not done.failures
        state, said = done.state, said + done.transitions
    return said


def of_meter(said: list[Transition]) -> list[Transition]:
    return [t for t in said if METER in t.devices]


def metered(*pairs: tuple[float, float]) -> list[Reading]:
    return [reading(at, METER, "water_volume", value) for at, value in pairs]


def test_says_nothing_before_a_whole_window_has_passed() -> None:
    rows = metered((1, 5), (8, 5), (15, 5))
    assert of_meter(run(rule("m", LOW), (rows, 20))) == []
    (fired,) = of_meter(run(rule("m", LOW), (rows, 20.5)))
    assert told([fired]) == [("fired", "condition_held", 20, 20)]
    assert fired.value == 0


def test_nothing_is_looked_at_before_a_step_ends() -> None:
    plan = make_plan([rule("x", LOW)], METERED)
    state = evaluate(plan, Batch.of(metered((0.2, 5))), fresh(plan, 0), seconds(0.3)).state
    assert state.looks[0] > seconds(19)
    state = evaluate(plan, Batch.of(metered((19.4, 5))), state, seconds(19.5)).state
    assert state.looks[0] > seconds(20)
    done = evaluate(plan, Batch.empty(), state, state.looks[0])
    assert told(of_meter(done.transitions)) == [("fired", "condition_held", 20, 20)]


def test_a_counter_that_begins_anew_has_grown_from_zero() -> None:
    one = rule("m", "watch: {metric: water_volume}\n within: 20s\n when: rise >= 3")
    (fired,) = of_meter(run(one, (metered((1, 900), (8, 901), (15, 0.5), (18, 2)), 21)))
    assert fired.value == 1 + 0.5 + 1.5


def test_what_grew_while_nothing_was_read_for_longer_than_a_window_is_not_known() -> None:
    one = rule("m", "watch: {metric: water_volume}\n within: 10s\n when: rise >= 3")
    assert of_meter(run(one, (metered((1, 0), (12, 90), (13, 91)), 30))) == []
    (fired, _) = of_meter(run(one, (metered((2, 0), (12, 90), (13, 91)), 30)))
    assert fired.value == 90


def test_who_says_offline_is_unknown_at_once_also_before_the_first_reading() -> None:
    """It was heard, but never said the metric."""
    alert = rule(
        "m", "watch: {metric: access_denied}\n within: 10s\n when: sum > 1\n no_data: alert"
    )
    beats = [reading(20, OTHER_DOOR, "heartbeat", 1)], 28
    gone = [reading(43, OTHER_DOOR, "heartbeat", 0)], 49
    said = [t for t in run(alert, beats, gone) if t.subject.id == OTHER_DOOR]
    assert told(said) == [("fired", "sensor_silent", 44, 44)]


def test_a_window_is_unknown_while_its_devices_are_silent() -> None:
    one = rule("m", "watch: {metric: pulse}\n within: 20s\n when: mean >= 100")
    rows = [reading(t, AWAY_WEARABLE, "pulse", 120) for t in (5, 15, 25)]
    said = [t for t in run(one, (rows, 60)) if AWAY_WEARABLE in t.devices]
    assert told(said) == [
        ("fired", "condition_held", 20, 20),
        ("went_silent", "sensor_silent", 20, 46),
    ]


def test_water_in_every_half_hour_of_a_day_is_a_leak() -> None:
    """The rule of the Longgang pilot."""
    body = "watch: {metric: water_volume}\n within: 24h\n step: 30m\n when: active_share >= 1"
    plan, said = make_plan([rule("m", body)], _slow_meter()), list[Transition]()
    state = fresh(plan, 0)
    dry = 20 * HOUR
    total = 0.0
    for at in range(10 * MINUTE, 3 * DAY, 20 * MINUTE):
        total += 0.001 if at < dry or at >= dry + HOUR else 0.0
        one = Reading(at, at, METER, plan.rules[0].metric, total)
        done = evaluate(plan, Batch.of([one]), state, at)
        state, said = done.state, said + done.transitions
    whole = dry + HOUR + DAY
    assert [(str(t.change), t.at, t.value) for t in said] == [("fired", whole, 1.0)]


def _slow_meter() -> Inventory:
    plain = inventory()
    meter = replace(
        device(METER, "water_meter", ("water_volume",), household=CARE_HOME), interval=HOUR
    )
    return Inventory.of(plain.areas.values(), plain.households.values(), [meter])


def test_after_a_household_was_away_a_whole_window_must_pass_again() -> None:
    away = rule("m", LOW + "\n unless: household.away")
    gone, back = (make_plan([away], i) for i in (inventory_with(away=True), inventory_with()))
    rows = [reading(t, METER, "water_volume", 5) for t in range(1, 100, 5)]
    state = evaluate(gone, Batch.of(rows), fresh(gone, 0), seconds(100)).state
    state, _ = carry_over(state, gone, back, seconds(100))
    later = [reading(t, METER, "water_volume", 5) for t in range(101, 140, 5)]
    done = evaluate(back, Batch.of(later), state, seconds(140))
    assert told(done.transitions) == [("fired", "condition_held", 120, 120)]


def inventory_with(*, away: bool = False) -> Inventory:
    plain = inventory(away=[CARE_HOME] if away else [])
    meter = device(METER, "water_meter", ("water_volume",), household=CARE_HOME)
    return Inventory.of(plain.areas.values(), plain.households.values(), [meter])


def test_a_device_that_is_always_behind_is_waited_for() -> None:
    one = rule("m", "watch: {metric: pulse}\n within: 60s\n when: sum >= 300")
    plan = make_plan([one], METERED)
    state, said = fresh(plan, 0), list[Transition]()
    for at in range(1, 130, 5):
        behind = at + 9
        row = reading(at, WEARABLE, "pulse", 30, arrival=behind)
        done = evaluate(plan, batch(row), state, seconds(behind))
        state, said = done.state, said + done.transitions
    assert told(said) == [("fired", "condition_held", 60, 60)]


def test_a_long_backlog_in_one_batch_says_what_its_parts_say() -> None:
    rows = [reading(t * 7, METER, "water_volume", float(t // 3)) for t in range(400)]
    rules = [r for r in RULES if r.watch.metric == "water_volume"]
    plan = make_plan(rules, METERED)
    end = seconds(400 * 7)
    whole = evaluate(plan, Batch.of(rows), fresh(plan, 0), end).transitions
    state, said = fresh(plan, 0), list[Transition]()
    for start, stop in pairwise(range(0, 401, 100)):
        part = rows[start:stop]
        done = evaluate(plan, Batch.of(part), state, part[-1].time)
        state, said = done.state, said + done.transitions
    said += evaluate(plan, Batch.empty(), state, end).transitions
    key = lambda t: (t.rule.code, t.subject.id, t.at)  # noqa: E731
    assert sorted(whole, key=key) == sorted(said, key=key)
    assert len(whole) > 100


def test_a_late_message_that_is_the_newest_changes_no_step_that_was_judged() -> None:
    """At 21 s the meter is not behind, and step 20 is over; then it is 15 s behind."""
    one = rule("m", "watch: {metric: water_volume}\n within: 20s\n when: rise >= 100")
    at = [(5, 5, 0), (6, 21, 40), (7, 22, 80), (8, 23, 120)]
    rows = [(reading(t, METER, "water_volume", v, arrival=heard), heard) for t, heard, v in at]
    said = of_meter(run(one, *(([row], heard) for row, heard in rows), ([], 26.5)))
    assert told(said) == [("fired", "condition_held", 21, 21)]
    assert said[0].value == 120


def test_nor_does_a_late_message_about_something_else() -> None:
    one = rule("m", "watch: {metric: water_volume}\n within: 20s\n when: rise >= 60")
    beat = reading(6, METER, "heartbeat", 1, arrival=21)
    first, *rows = [
        reading(t, METER, "water_volume", v, arrival=heard)
        for t, heard, v in ((5, 5, 0), (7, 22, 80), (8, 23, 120))
    ]
    parts = [([first], 5), ([beat], 21), *(([row], row.arrival / SECOND) for row in rows)]
    said = of_meter(run(one, *parts, ([], 26.5)))
    assert told(said) == [("fired", "condition_held", 21, 21)]


def test_an_overtaken_reading_of_a_counter_alone_is_nothing() -> None:
    one = rule("m", "watch: {metric: water_volume}\n within: 10s\n when: rise >= 1")
    late = [r._replace(arrival=seconds(14)) for r in metered((12, 9))]
    assert run(one, (metered((11, 1), (13, 1)), 13.5), (late, 14), ([], 16)) == []


CARDS = "watch: {metric: access_denied}\n within: 10s\n when: distinct >= 3\n per: building"


def cards(*reads: tuple[float, int, int]) -> list[Reading]:
    """Reads at these seconds and doors, of these cards."""
    return [reading(at, door, "access_denied", 1)._replace(token=who) for at, door, who in reads]


def test_different_cards_are_counted_not_reads() -> None:
    big = 2**62 + 1
    rows = cards((11, DOOR, 7), (11.5, DOOR, 7), (12, DOOR, 0), (13, OTHER_DOOR, 7), (14, DOOR, -9))
    assert run(rule("m", CARDS), (rows, 30)) == []
    more = cards((16, DOOR, big), (17, OTHER_DOOR, big + 1))
    (fired, _) = run(rule("m", CARDS), (rows + more, 40))
    assert told([fired]) == [("fired", "condition_held", 17, 17)]
    assert fired.value == 3


def test_cards_are_told_apart_after_a_restart() -> None:
    plan = make_plan([rule("m", CARDS)], METERED)
    state = evaluate(plan, Batch.of(cards((11, DOOR, 7), (12, DOOR, -9))), fresh(plan, 0), 12).state
    state, _ = restore(dump(state, plan), plan, seconds(12))
    rows = cards((14, DOOR, 7), (15, OTHER_DOOR, -9), (16, DOOR, 2**63 - 1))
    (fired,) = evaluate(plan, Batch.of(rows), state, seconds(18)).transitions
    assert (fired.at, fired.value) == (seconds(17), 3)


def test_where_chooses_among_the_reads_by_their_values() -> None:
    one = rule("m", CARDS.replace("distinct >= 3", "distinct >= 2\n where: access_denied > 0.5"))
    weak = reading(12, DOOR, "access_denied", 0.5)._replace(token=9)
    assert run(one, ([*cards((11, DOOR, 7)), weak], 30)) == []
    assert len(run(one, ([*cards((11, DOOR, 7), (12, DOOR, 9))], 13.5))) == 1


def test_of_a_measured_quantity_different_values_are_counted() -> None:
    one = rule("m", "watch: {metric: pulse}\n within: 20s\n when: distinct >= 3")
    rows = [reading(at, WEARABLE, "pulse", value) for at, value in ((21, 70), (22, 71), (23, 70))]
    assert run(one, (rows, 30)) == []
    (fired,) = run(one, ([*rows, reading(24, WEARABLE, "pulse", 72)], 26))
    assert fired.value == 3


def test_what_is_remembered_comes_back_from_bytes() -> None:
    plan = make_plan(RULES, METERED)
    rows = [reading(t, WEARABLE, "pulse", 120) for t in range(1, 30, 3)]
    rows += metered((2, 1), (9, 3), (16, 4))
    state = evaluate(plan, Batch.of(rows), fresh(plan, 0), seconds(30)).state
    saved = dump(state, plan)
    again, withdrawn = restore(saved, plan, seconds(31))
    assert withdrawn == []
    assert dump(again, plan) == saved


@pytest.mark.parametrize(
    ("within", "step"),
    [
        (12 * HOUR, 12 * MINUTE),
        (60 * SECOND, SECOND),
        (10 * SECOND, SECOND),
        (61 * SECOND, 61 * SECOND // 50),
        (SECOND, SECOND),
    ],
)
def test_the_usual_step_divides_the_window(within: int, step: int) -> None:
    assert usual_step(within) == step
    assert Panes(step, within // step).count * step == within


def test_reads_a_measure_and_writes_it_back() -> None:
    body = (
        "watch: {metric: pulse}\n within: 1h\n step: 10m\n when: mean >= 110\n clear: mean < 100\n"
        " where: pulse > 30\n for: 20m\n keep_for: 10m\n per: building"
    )
    one = rule("m", body)
    condition = one.condition
    assert isinstance(condition, MeasureInWindow)
    assert (condition.measure, condition.step) == (Measure.MEAN, 10 * MINUTE)
    assert (condition.judging.lasting, condition.judging.keep) == (20 * MINUTE, 10 * MINUTE)
    for each in (one, *RULES):
        (again,) = load({"w": write(each)})
        assert again.fingerprint == each.fingerprint
        assert again.condition == each.condition


def test_a_count_stays_a_count() -> None:
    one = rule("m", "watch: {metric: access_denied}\n within: 10s\n when: count >= 3")
    assert isinstance(one.condition, CountInWindow)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("watch: {metric: pulse}\n within: 1h\n when: mean > 1 and max < 9", "max, mean in one"),
        ("watch: {metric: pulse}\n within: 1h\n when: mean > 400", "can never be true"),
        ("watch: {metric: pulse}\n within: 1h\n when: rise > 1", "'pulse' is no counter"),
        (
            "watch: {metric: water_volume}\n within: 1h\n when: sum > 1",
            "is a counter, of which sum",
        ),
        (
            "watch: {metric: pulse}\n within: 1h\n when: rate > 1\n per: household",
            "'per' of rule m",
        ),
        ("watch: {metric: pulse}\n within: 1h\n step: 7m\n when: mean > 90", "does not divide"),
        ("watch: {metric: pulse}\n within: 1h\n when: mean > device.x", "cannot be used here"),
        (
            "watch: {metric: pulse}\n within: 1h\n when: mean > 90\n clear: max < 80",
            "'max < 80' is not over mean alone",
        ),
        (
            "watch: {metric: pulse}\n within: 1h\n when: mean > 90\n clear: mean > 80",
            "would both raise and clear",
        ),
        (
            "watch: {metric: pulse}\n within: 1h\n when: count >= 3\n clear: mean > 3",
            "does not belong",
        ),
        ("watch: {metric: pulse}\n within: 1h\n when: maen > 3", "unknown name 'maen'"),
        ("watch: {metric: door_open}\n within: 1h\n when: distinct >= 3", "lies between 0 and 2"),
    ],
)
def test_what_makes_no_sense_is_said(body: str, what: str) -> None:
    with pytest.raises(RulesError) as caught:
        rule("m", body)
    assert any(what in str(problem) for problem in caught.value.problems), caught.value.problems
