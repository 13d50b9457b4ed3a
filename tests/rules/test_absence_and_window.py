"""Absence and count rules, case by case. Devices count as silent after 30 s."""

from dataclasses import replace

from devices.inventory import Inventory
from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.model import Rule
from rules.plan import make_plan
from rules.state import fresh
from rules.transition import Transition
from tests.rules.community import (
    DOOR,
    MOTION,
    MOTION_TOO,
    OTHER_DOOR,
    batch,
    inventory,
    reading,
    rule,
    seconds,
    told,
)

SILENT = "watch: {metric: heartbeat, device: d5}\nabsent: 40s"
STILL = "watch: {metric: motion}\nwhen: motion >= 1\nabsent: 60s\nper: household"
DENIED = "watch: {metric: access_denied, device: d5}\nwhen: count >= 3\nwithin: 10s"


def judge(body: str, *steps: tuple[Batch | None, float]) -> list[Transition]:
    """Everything said of the rule; each step is a batch, or None, and the `now` after it."""
    return judge_rule(rule("x", body), *steps)


def judge_rule(made: Rule, *steps: tuple[Batch | None, float]) -> list[Transition]:
    plan = make_plan([made], inventory())
    state, said = fresh(plan, 0), list[Transition]()
    for part, now in steps:
        done = evaluate(plan, part or Batch.empty(), state, seconds(now))
        assert done.failures == ()
        state, said = done.state, said + done.transitions
    return said


def motion(time: float, value: float, device: int = MOTION) -> Reading:
    return reading(time, device, "motion", value)


def beat(time: float, *, arrival: float | None = None) -> Reading:
    return reading(time, DOOR, "heartbeat", 1, arrival=arrival)


def denied(*times: float, device: int = DOOR) -> list[Reading]:
    return [reading(time, device, "access_denied", 1) for time in times]


def test_silence_fires_when_it_has_lasted_and_clears_with_the_next_reading() -> None:
    said = judge(SILENT, (batch(beat(5)), 5), (None, 44.9), (None, 46), (batch(beat(70)), 70))
    assert told(said) == [("fired", "nothing_heard", 5, 45), ("cleared", "heard", 5, 70)]
    assert [t.value for t in said] == [None, 1.0]


def test_who_was_never_heard_is_absent_since_becoming_known() -> None:
    assert told(judge(SILENT, (None, 39), (None, 41))) == [("fired", "nothing_heard", 0, 40)]


def test_absence_by_the_devices_own_intervals() -> None:
    body = "watch: {metric: access_denied, kind: door}\nabsent: 2 intervals"
    plain = inventory()
    devices = (
        replace(d, interval=seconds(50)) if d.id == DOOR else d for d in plain.devices.values()
    )
    slow = Inventory.of(plain.areas.values(), plain.households.values(), devices)
    plan = make_plan([rule("x", body)], slow)
    heard = batch(*denied(1), *denied(1, device=OTHER_DOOR))
    state = evaluate(plan, heard, fresh(plan, 0), seconds(1)).state
    said = list[Transition]()
    for now in (20.9, 21, 100.9, 101):
        done = evaluate(plan, Batch.empty(), state, seconds(now))
        state, said = done.state, said + done.transitions
    assert told(said) == [("fired", "nothing_heard", 1, 21), ("fired", "nothing_heard", 1, 101)]
    assert [t.subject.id for t in said] == [OTHER_DOOR, DOOR]


def test_absence_is_not_concluded_from_readings_that_waited_in_a_queue() -> None:
    waited = batch(*(beat(t, arrival=200) for t in (5, 100, 195)))
    assert judge(SILENT, (waited, 200)) == []


def test_a_clock_that_runs_ahead_does_not_put_absence_off() -> None:
    said = judge(SILENT, (batch(beat(500, arrival=5)), 5), (None, 50))
    assert told(said) == [("fired", "nothing_heard", 5, 45)]


def test_no_movement_fires_while_a_sensor_of_the_home_is_alive() -> None:
    alive = batch(motion(35, 0, MOTION_TOO))
    said = judge(STILL, (batch(motion(1, 1)), 1), (alive, 35), (None, 61))
    assert told(said) == [("fired", "nothing_heard", 1, 61)]
    assert said[0].devices == (MOTION, MOTION_TOO)


def test_no_movement_is_unknown_while_all_sensors_of_the_home_are_silent() -> None:
    assert judge(STILL, (batch(motion(1, 1)), 1), (None, 61), (None, 500)) == []


def test_movement_seen_by_any_sensor_of_the_home_ends_it() -> None:
    steps = [(batch(motion(1, 1), motion(40, 0)), 61), (batch(motion(62, 1, MOTION_TOO)), 62)]
    said = judge(STILL, *steps)
    assert told(said)[1:] == [("cleared", "heard", 1, 62)]
    assert said[1].devices == (MOTION_TOO,)


def test_the_nth_within_the_window_fires_since_the_first() -> None:
    said = judge(DENIED, (batch(*denied(0, 11, 15, 21)), 21))
    assert told(said) == [("fired", "count_reached", 11, 21)]
    assert (said[0].value, said[0].devices) == (3.0, (DOOR,))


def test_it_clears_when_the_count_has_fallen() -> None:
    said = judge(DENIED, (batch(*denied(1, 2, 3)), 11), (None, 11.1), (None, 30))
    assert told(said)[1:] == [("cleared", "count_fell", 1, 11)]
    assert said[1].value == 2.0


def test_it_clears_between_two_readings_of_a_batch_too() -> None:
    said = judge(DENIED, (batch(*denied(1, 2, 3, 20, 21, 22)), 22))
    assert told(said) == [
        ("fired", "count_reached", 1, 3),
        ("cleared", "count_fell", 1, 11),
        ("fired", "count_reached", 20, 22),
    ]


def test_what_was_counted_is_not_counted_again_in_another_span() -> None:
    said = judge(DENIED, (batch(*denied(0, 5, 9, 11, 12)), 12), (batch(*denied(13)), 13))
    assert told(said)[1:] == [
        ("cleared", "count_fell", 0, 10),
        ("fired", "count_reached", 11, 13),
    ]


def test_more_of_them_keep_it_firing() -> None:
    said = judge(DENIED, (batch(*denied(0, 5, 9, 10, 14, 18, 20)), 24), (None, 25))
    assert told(said)[1:] == [("cleared", "count_fell", 0, 24)]


def test_silence_holds_it_until_the_device_is_heard() -> None:
    body = DENIED.replace("10s", "60s")
    said = judge(body, (batch(*denied(0, 1, 2)), 2), (None, 500), (batch(beat(600)), 600))
    assert told(said) == [("fired", "count_reached", 0, 2), ("cleared", "count_fell", 0, 60)]


def test_order_and_repetition_do_not_matter_to_the_count() -> None:
    steps = [(batch(*denied(9)), 9), (batch(*denied(9, 9)), 9), (batch(*denied(5, 1)), 9)]
    assert told(judge(DENIED, *steps)) == [("fired", "count_reached", 1, 9)]


def test_a_building_counts_over_its_doors_and_waits_for_all_of_them() -> None:
    body = "watch: {metric: access_denied}\nwhen: count >= 3\nwithin: 40s\nper: building"
    both = batch(*denied(1, 3), *denied(2, device=OTHER_DOOR))
    other = batch(reading(50, OTHER_DOOR, "heartbeat", 1))
    assert len(judge(body, (both, 3), (batch(beat(42)), 49))) == 1
    said = judge(body, (both, 3), (batch(beat(42)), 43), (other, 50))
    assert told(said) == [("fired", "count_reached", 1, 3), ("cleared", "count_fell", 1, 41)]
    assert said[0].devices == (DOOR, OTHER_DOOR)


def test_where_says_which_readings_count() -> None:
    body = "watch: {metric: pulse, device: d1}\nwhen: count >= 2\nwithin: 9s\nwhere: pulse > 120"
    rows = [reading(t, 1, "pulse", v) for t, v in ((1, 130), (2, 80), (3, 125))]
    assert told(judge(body, (batch(*rows), 3))) == [("fired", "count_reached", 1, 3)]
