"""Threshold rules, case by case. Devices count as silent after 30 s."""

import pytest

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import Rule
from rules.plan import make_plan
from rules.state import fresh
from rules.transition import Transition
from tests.rules.community import (
    AWAY_HOME,
    AWAY_WEARABLE,
    CAR_PARK,
    WEARABLE,
    batch,
    inventory,
    reading,
    rule,
    seconds,
    told,
)

LOW = "watch: {metric: spo2, device: d1}\nwhen: spo2 <= 91\n"
HELD = LOW + "clear: spo2 >= 94\nfor: 20s"


def spo2(time: float, value: float, device: int = WEARABLE) -> Reading:
    return reading(time, device, "spo2", value)


def judge(made: Rule, *steps: Batch | float) -> list[Transition]:
    """Everything said; a number is a tick at so many seconds, a batch brings its own time."""
    plan = make_plan([made], inventory())
    state, said, now = fresh(plan, 0), list[Transition](), 0
    for step in steps:
        part = step if isinstance(step, Batch) else Batch.empty()
        now = max(now, int(part.time.max(initial=0)))
        now = now if isinstance(step, Batch) else seconds(step)
        done = evaluate(plan, part, state, now)
        assert done.failures == ()
        state, said = done.state, said + done.transitions
    return said


def test_fires_at_once_without_for_and_clears_when_it_no_longer_holds() -> None:
    said = judge(rule("x", LOW), batch(spo2(1, 90), spo2(3, 89)), batch(spo2(5, 92)))
    assert told(said) == [
        ("fired", "condition_held", 1, 1),
        ("cleared", "condition_ended", 1, 5),
    ]
    assert [t.value for t in said] == [90.0, 92.0]
    assert said[0].devices == (WEARABLE,)


def test_between_when_and_clear_it_neither_fires_nor_clears() -> None:
    made = rule("x", LOW + "clear: spo2 >= 94")
    said = judge(made, batch(spo2(1, 93)), batch(spo2(2, 90)), batch(spo2(3, 93)), 9.0)
    assert told(said) == [("fired", "condition_held", 2, 2)]


def test_for_fires_on_the_tick_of_its_deadline_and_not_before() -> None:
    first = batch(spo2(1, 90))
    assert judge(rule("x", HELD), first, 20.999999) == []
    said = judge(rule("x", HELD), first, 21.0)
    assert told(said) == [("fired", "condition_held", 1, 21)]


def test_what_was_due_has_fired_before_a_reading_that_says_otherwise() -> None:
    said = judge(rule("x", HELD), batch(spo2(1, 90), spo2(15, 89), spo2(25, 96)))
    assert told(said) == [
        ("fired", "condition_held", 1, 21),
        ("cleared", "condition_ended", 1, 25),
    ]
    assert [t.value for t in said] == [89.0, 96.0]


def test_a_break_begins_the_span_anew() -> None:
    said = judge(rule("x", HELD), batch(spo2(1, 90), spo2(15, 92), spo2(17, 90)), 40.0)
    assert told(said) == [("fired", "condition_held", 17, 37)]


def test_for_does_not_run_across_silence() -> None:
    made = rule("x", LOW + "for: 45s")
    said = judge(made, batch(spo2(0, 90)), 50.0, batch(spo2(60, 90)), batch(spo2(85, 90)), 104.9)
    assert said == []
    assert told(judge(made, batch(spo2(0, 90), spo2(60, 90), spo2(85, 90)), 105.0)) == [
        ("fired", "condition_held", 60, 105)
    ]


def test_any_reading_of_the_device_keeps_the_span_alive() -> None:
    made = rule("x", LOW + "for: 45s")
    other = reading(25, WEARABLE, "pulse", 80)
    assert told(judge(made, batch(spo2(0, 90), other), 45.0)) == [
        ("fired", "condition_held", 0, 45)
    ]


def test_what_is_due_when_the_device_falls_silent_still_fires_and_later_does_not() -> None:
    on_time = judge(rule("x", LOW + "for: 30s"), batch(spo2(0, 90)), 30.0)
    assert told(on_time) == [("fired", "condition_held", 0, 30)]
    assert judge(rule("x", LOW + "for: 31s"), batch(spo2(0, 90)), 99.0) == []


def test_at_its_limit_a_device_is_not_yet_silent() -> None:
    said = judge(rule("x", LOW), batch(spo2(0, 90)), 30.0, batch(spo2(30, 90)), 60.0)
    assert told(said) == [("fired", "condition_held", 0, 0)]


def test_silence_is_said_once_and_clears_nothing() -> None:
    made = rule("x", LOW)
    said = judge(made, batch(spo2(0, 90)), 30.0, 31.0, 99.0, batch(spo2(100, 90)), 120.0)
    assert told(said) == [
        ("fired", "condition_held", 0, 0),
        ("went_silent", "sensor_silent", 0, 30),
        ("heard_again", "heard", 0, 100),
    ]


def test_silence_within_a_batch_is_said_as_if_ticks_had_come() -> None:
    said = judge(rule("x", LOW), batch(spo2(0, 90), spo2(100, 96)))
    assert told(said) == [
        ("fired", "condition_held", 0, 0),
        ("went_silent", "sensor_silent", 0, 30),
        ("heard_again", "heard", 0, 100),
        ("cleared", "condition_ended", 0, 100),
    ]


def test_a_reading_that_was_only_late_to_arrive_ends_the_silence_too() -> None:
    said = judge(rule("x", LOW), batch(spo2(0, 90)), 40.0, batch(spo2(20, 90)))
    assert told(said)[1:] == [
        ("went_silent", "sensor_silent", 0, 30),
        ("heard_again", "heard", 0, 20),
    ]


ALERT = LOW + "clear: spo2 >= 94\nno_data: alert"
SILENT_FROM_10 = (batch(spo2(1, 96), reading(10, WEARABLE, "pulse", 80)), 41.0)


def test_what_was_said_before_a_silence_ends_no_alert_for_it() -> None:
    """Neither good ones do nor bad ones: the next reading still ends it by being heard."""
    late = (batch(spo2(8, 96)), 42.0, batch(spo2(9, 90)), 43.0, batch(spo2(10, 93)), 44.0)
    said = judge(rule("x", ALERT), *SILENT_FROM_10, *late, batch(spo2(50, 93)), 60.0)
    assert told(said) == [
        ("fired", "sensor_silent", 10, 40),
        ("cleared", "heard", 10, 50),
    ]


def test_what_was_said_before_a_silence_hides_nothing_that_comes_with_it() -> None:
    said = judge(rule("x", ALERT), *SILENT_FROM_10, batch(spo2(8, 96), spo2(50, 96)))
    assert told(said)[1:] == [("cleared", "heard", 10, 50)]
    said = judge(rule("x", ALERT), *SILENT_FROM_10, batch(spo2(9, 90), spo2(50, 90)), 81.0)
    assert told(said)[1:] == [("went_silent", "sensor_silent", 10, 80)]


def test_what_was_said_within_a_silence_before_it_was_told_of_ends_it() -> None:
    said = judge(rule("x", ALERT), *SILENT_FROM_10, batch(spo2(11, 96)), 41.0, 42.0)
    assert told(said)[1:] == [("cleared", "heard", 10, 11), ("fired", "sensor_silent", 11, 41)]


@pytest.mark.parametrize("late", [1.0, 5.0, 10.0], ids=["judged", "before", "last heard"])
@pytest.mark.parametrize("value", [92.0, 99.0, 85.0])
def test_what_was_said_before_a_silence_does_not_end_what_that_let_lapse(
    late: float, value: float
) -> None:
    made = rule("x", LOW + "clear: spo2 >= 94\nno_data: clear\nkeep_for: 5m")
    pulse = (reading(10, WEARABLE, "pulse", 70), reading(100, WEARABLE, "pulse", 70))
    before = [batch(spo2(1, 90)), batch(*pulse), batch(spo2(late, value))]
    assert [t.change for t in judge(made, *before)] == ["fired", "went_silent", "heard_again"]
    at_once = [batch(spo2(1, 90)), batch(pulse[0]), batch(pulse[1], spo2(late, 85))]
    for batches in (before, at_once):
        said = judge(made, *batches, batch(spo2(late, value)), batch(spo2(101, 92)))
        assert told(said[3:]) == [("cleared", "heard", 1, 101)]


def test_no_data_alert_fires_for_silence_and_clears_with_a_good_reading() -> None:
    made = rule("x", LOW + "clear: spo2 >= 94\nno_data: alert")
    said = judge(made, batch(spo2(5, 96)), 35.0, 36.0, 80.0, batch(spo2(90, 93)))
    assert told(said) == [
        ("fired", "sensor_silent", 5, 35),
        ("cleared", "heard", 5, 90),
    ]


def test_an_alert_for_silence_goes_on_as_one_of_the_condition() -> None:
    made = rule("x", LOW + "clear: spo2 >= 94\nno_data: alert")
    said = judge(made, batch(spo2(5, 96)), 36.0, batch(spo2(40, 90)), batch(spo2(45, 93)), 80.0)
    assert told(said) == [
        ("fired", "sensor_silent", 5, 35),
        ("went_silent", "sensor_silent", 5, 75),
    ]


def test_a_device_never_heard_is_silent_from_when_it_became_known() -> None:
    made = rule("x", LOW + "no_data: alert")
    said = judge(made, 30.0, 31.0)
    assert told(said) == [("fired", "sensor_silent", 0, 30)]
    assert said[0].value is None


def test_a_late_reading_and_a_repeated_one_say_nothing() -> None:
    made = rule("x", LOW)
    said = judge(made, batch(spo2(10, 96)), batch(spo2(5, 90)), batch(spo2(10, 90)))
    assert said == []


def test_each_momentary_reading_is_an_alert_that_nothing_clears() -> None:
    made = rule("x", "watch: {metric: sos}\nwhen: sos == 1")
    first, no, second = (reading(t, WEARABLE, "sos", v) for t, v in ((1, 1), (2, 0), (3, 1)))
    said = judge(made, batch(first, no, second, second), batch(second), 100.0)
    assert told(said) == [("fired", "occurred", 1, 1), ("fired", "occurred", 3, 3)]


def test_who_is_away_is_not_judged_and_what_fires_is_held() -> None:
    made = rule("x", "watch: {metric: spo2}\nwhen: spo2 <= 91\nunless: household.away")
    said = judge(made, batch(spo2(1, 90, AWAY_WEARABLE), spo2(2, 96, AWAY_WEARABLE)), 99.0)
    assert said == []
    plan, away = (make_plan([made], inventory(away=a)) for a in ((), (AWAY_HOME,)))
    firing = evaluate(plan, batch(spo2(1, 90, AWAY_WEARABLE)), fresh(plan, 0), seconds(1)).state
    held = evaluate(away, batch(spo2(2, 99, AWAY_WEARABLE)), firing, seconds(99))
    assert held.transitions == []


@pytest.mark.parametrize(("free", "fires"), [(0, False), (1, True), (5, False)])
def test_attributes_are_the_devices_own_and_a_division_by_zero_is_not_true(
    free: float, fires: bool
) -> None:
    made = rule("x", "watch: {metric: parking_free}\nwhen: device.capacity / parking_free > 5")
    said = judge(made, batch(reading(1, CAR_PARK, "parking_free", free)))
    assert bool(said) is fires


def test_what_is_undefined_does_not_clear() -> None:
    made = rule("x", "watch: {metric: parking_free}\nwhen: device.capacity / parking_free > 5")
    free = [reading(t, CAR_PARK, "parking_free", v) for t, v in ((1, 1), (2, 0), (3, 9))]
    assert told(judge(made, batch(*free)))[1:] == [("cleared", "condition_ended", 1, 3)]
