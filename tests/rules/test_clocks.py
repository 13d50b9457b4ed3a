"""Devices whose clock is wrong, and readings that come late. Devices are silent after 30 s."""

from itertools import permutations

from devices.reading import Batch, Reading
from rules.evaluate import evaluate
from rules.listening import listen
from rules.plan import make_plan
from rules.state import dump, fresh, restore
from rules.transition import Transition
from tests.rules.community import (
    DOOR,
    RULES,
    WEARABLE,
    batch,
    behind_gateway,
    inventory,
    reading,
    rule,
    seconds,
    told,
)

LOW = "watch: {metric: spo2, device: d1}\nwhen: spo2 <= 91\n"
SOS = "watch: {metric: sos}\nwhen: sos == 1"


def judge(body: str, *steps: tuple[list[Reading], float]) -> list[Transition]:
    """Everything said; each step is readings and the `now` after them. Restored between steps."""
    plan = make_plan([rule("x", body)], inventory())
    state, said = fresh(plan, 0), list[Transition]()
    for readings, now in steps:
        done = evaluate(plan, Batch.of(readings), state, seconds(now))
        assert done.failures == ()
        state, _ = restore(dump(done.state, plan), plan, seconds(now))
        said += done.transitions
    return said


def spo2(time: float, value: float, *, arrival: float | None = None) -> Reading:
    return reading(time, WEARABLE, "spo2", value, arrival=arrival)


def sos(time: float, value: float) -> Reading:
    return reading(time, WEARABLE, "sos", value)


def beat(time: float, arrival: float) -> Reading:
    return reading(time, DOOR, "heartbeat", 1, arrival=arrival)


def test_a_reading_from_the_future_does_not_make_later_ones_late() -> None:
    said = judge(LOW, ([spo2(600, 96, arrival=1)], 1), ([spo2(5, 90)], 5))
    assert told(said) == [("fired", "condition_held", 5, 5)]


def test_a_reading_from_the_future_counts_from_its_arrival_on() -> None:
    said = judge(LOW, ([spo2(600, 90, arrival=1)], 1), ([spo2(5, 96)], 5))
    assert told(said) == [("fired", "condition_held", 1, 1), ("cleared", "condition_ended", 1, 5)]


def test_a_clock_ahead_does_not_make_a_timer_fire_early_or_late() -> None:
    ahead = ([spo2(300, 90, arrival=4)], 4)
    body = LOW + "for: 20s"
    assert judge(body, ([spo2(0, 90)], 0), ahead, ([], 19)) == []
    assert told(judge(body, ([spo2(0, 90)], 0), ahead, ([], 20))) == [
        ("fired", "condition_held", 0, 20)
    ]
    assert told(judge(body, ahead, ([], 24))) == [("fired", "condition_held", 4, 24)]


def test_a_clock_ahead_does_not_hide_silence() -> None:
    said = judge(LOW, ([spo2(300, 90, arrival=4)], 4), ([], 35))
    assert told(said)[1:] == [("went_silent", "sensor_silent", 4, 34)]


def test_readings_of_one_message_keep_their_distance_when_the_clock_is_ahead() -> None:
    together = [spo2(time, 90 if time < 120 else 96, arrival=50) for time in (100, 110, 120)]
    said = judge(LOW + "for: 15s", (together, 50))
    assert told(said) == [
        ("fired", "condition_held", 30, 45),
        ("cleared", "condition_ended", 30, 50),
    ]


def test_counting_goes_by_arrival_where_the_clock_is_ahead() -> None:
    body = "watch: {metric: access_denied, device: d5}\nwhen: count >= 2\nwithin: 10s"
    denied = [reading(t, DOOR, "access_denied", 1, arrival=a) for t, a in ((400, 1), (3, 3))]
    assert told(judge(body, (denied[:1], 1), (denied[1:], 3))) == [("fired", "count_reached", 1, 3)]


def test_a_clock_behind_does_not_make_a_timer_fire_early() -> None:
    body = LOW + "for: 20s"
    first = ([spo2(0, 90, arrival=100)], 100)
    assert judge(body, first, ([], 119)) == []
    assert told(judge(body, first, ([], 120))) == [("fired", "condition_held", 0, 20)]
    assert judge(body, first, ([spo2(10, 96, arrival=110)], 110), ([], 125)) == []


def test_a_clock_behind_is_not_silence() -> None:
    body = LOW + "clear: spo2 >= 94\nno_data: alert"
    assert judge(body, ([spo2(0, 96, arrival=20)], 20), ([], 49)) == []
    said = judge(body, ([spo2(0, 96, arrival=20)], 20), ([], 51))
    assert told(said) == [("fired", "sensor_silent", 0, 30)]


def test_a_clock_far_behind_raises_no_alert_per_reading() -> None:
    body = LOW + "clear: spo2 >= 94\nno_data: alert"
    talking = [([spo2(t, 96, arrival=t + 520)], t + 520) for t in range(-500, 300, 10)]
    assert judge(body, *talking) == []


def test_a_clock_behind_is_not_absence() -> None:
    body = "watch: {metric: heartbeat, device: d5}\nabsent: 40s"
    talking = [([beat(t, t + 300)], t + 300) for t in range(-270, 100, 10)]
    assert judge(body, *talking, ([], 429)) == []
    assert told(judge(body, *talking, ([], 430))) == [("fired", "nothing_heard", 390, 430)]


def test_a_count_is_not_over_at_once_where_the_clock_is_behind() -> None:
    body = "watch: {metric: access_denied, device: d5}\nwhen: count >= 2\nwithin: 10s"
    denied = [reading(t, DOOR, "access_denied", 1, arrival=t + 500) for t in (1, 2, 9)]
    said = judge(body, (denied[:2], 502), ([], 505), (denied[2:], 509), ([], 513), ([], 520))
    assert told(said) == [("fired", "count_reached", 1, 2), ("cleared", "count_fell", 1, 12)]


def test_what_waited_in_the_brokers_queue_is_not_taken_for_a_clock_behind() -> None:
    """Until the queue is drained `now` stands still; a timer is then due when it was due."""
    body = LOW + "for: 20s"
    waited = spo2(15, 90, arrival=200)
    assert told(judge(body, ([spo2(0, 90)], 0), ([waited], 2), ([], 201))) == [
        ("fired", "condition_held", 0, 20),
        ("went_silent", "sensor_silent", 0, 45),
    ]


def test_buffered_readings_are_heard_out_before_a_timer_is_believed() -> None:
    body = LOW + "for: 20s"
    said = judge(
        body,
        ([spo2(100, 96)], 100),
        ([spo2(105, 90, arrival=190)], 190),
        ([spo2(110, 96, arrival=190.1), spo2(190, 96, arrival=190.1)], 191),
        ([], 230),
    )
    assert said == []


def test_a_press_that_comes_late_is_an_alert() -> None:
    said = judge(SOS, ([sos(20, 0)], 20), ([sos(10, 1)], 21))
    assert told(said) == [("fired", "occurred", 10, 10)]


def test_a_press_of_the_same_instant_as_another_report_is_an_alert() -> None:
    for order in ((0, 1), (1, 0)):
        rows = [sos(20, value) for value in order]
        assert told(judge(SOS, (rows, 20))) == [("fired", "occurred", 20, 20)]
        assert told(judge(SOS, (rows[:1], 20), (rows[1:], 21))) == [("fired", "occurred", 20, 20)]


def test_a_device_id_below_zero_is_nobody() -> None:
    plan = make_plan([rule("x", SOS)], inventory())
    strange = batch(reading(1, -1, "sos", 1), reading(1, -plan.size + WEARABLE, "sos", 1))
    done = evaluate(plan, strange, fresh(plan, 0), seconds(1))
    assert (done.transitions, done.failures) == ([], ())


def test_of_words_of_one_time_the_last_to_arrive_tells_how_far_behind_a_device_is() -> None:
    plan = make_plan(RULES, inventory())
    rows = [reading(3, DOOR, "heartbeat", 1, arrival=at) for at in (6, 9, 4)]
    for some in permutations([*rows, reading(2, WEARABLE, "sos", 1, arrival=7)]):
        device, lag = listen(plan, batch(*some), fresh(plan, 0).silence, seconds(9)).lags
        said = dict(zip(device.tolist(), lag.tolist(), strict=True))
        assert said == {WEARABLE: seconds(5), DOOR: seconds(6)}


def test_a_device_that_was_less_far_behind_than_it_seemed_is_lost_with_its_gateway() -> None:
    plan = make_plan([rule("x", LOW)], behind_gateway())
    state, said = fresh(plan, 0), list[Transition]()
    pulse = reading(13, WEARABLE, "pulse", 80)
    for row, now in ((spo2(12, 90, arrival=31), 31), (pulse, 32)):
        done = evaluate(plan, batch(row), state, seconds(now))
        state, said = done.state, said + done.transitions
    assert told(said) == [
        ("fired", "condition_held", 12, 12),
        ("went_silent", "sensor_silent", 12, 30),
    ]


def test_what_is_heard_keeps_whom_it_names_when_it_is_put_in_order() -> None:
    plan = make_plan(RULES, inventory())
    rows = [
        reading(3, DOOR, "access_denied", 1)._replace(token=-3),
        reading(1, WEARABLE, "sos", 1),
        reading(2, DOOR, "access_denied", 1)._replace(token=2),
        reading(1, 99, "access_denied", 1)._replace(token=99),
    ]
    hearing = listen(plan, batch(*rows), fresh(plan, 0).silence, seconds(3))
    said = zip(hearing.device.tolist(), hearing.time.tolist(), hearing.token.tolist(), strict=True)
    assert list(said) == [
        (WEARABLE, seconds(1), 0),
        (DOOR, seconds(2), 2),
        (DOOR, seconds(3), -3),
    ]
