"""Charts, spans and instants: pure geometry and words."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts import measure
from alerts.web.chart import BOTTOM, LEFT, RIGHT, TOP, Series, draw, nice_ticks, time_ticks
from alerts.web.evidence import Span, window
from alerts.web.language import Speaker
from alerts.web.moment import Teller
from alerts.web.throttle import (
    FORGET_AFTER,
    FREE_FAILURES,
    LONGEST_PAUSE,
    MOST_CODES,
    Throttle,
    pause_after,
)
from devices.instant import HOUR, SECOND
from devices.metric import BY_NAME

SHANGHAI = ZoneInfo("Asia/Shanghai")
START = datetime(2025, 11, 21, 10, 0, tzinfo=SHANGHAI)
MINUTE = timedelta(minutes=1)


def at(minutes: float) -> datetime:
    return START + minutes * MINUTE


def test_a_line_breaks_where_the_sensor_was_silent() -> None:
    points = [(at(0), 1.0), (at(10), 2.0), (at(50), 3.0)]
    chart = draw([Series(points, gap=30 * MINUTE)], at(0), at(60))
    assert chart.lines[0].path.count("M") == 2
    assert chart.lines[0].path.count("L") == 1


def test_a_state_is_drawn_in_steps_from_no_to_yes() -> None:
    points = [(at(0), 0.0), (at(30), 1.0)]
    chart = draw([Series(points, gap=60 * MINUTE, stepped=True)], at(0), at(60))
    assert [tick.value for tick in chart.values] == [0.0, 1.0]
    assert chart.lines[0].path == f"M{LEFT}.0 {BOTTOM}.0H{(LEFT + RIGHT) / 2}V{TOP}.0"


def test_occurrences_are_drawn_as_stems() -> None:
    chart = draw([Series([(at(30), 1.0)], gap=MINUTE, momentary=True)], at(0), at(60))
    assert chart.lines[0].path == f"M{(LEFT + RIGHT) / 2} {BOTTOM}.0V{TOP}.0"


def test_nothing_heard_is_an_empty_chart() -> None:
    assert draw([], at(0), at(60)).lines == ()


numbers = st.floats(-1e6, 1e6, allow_nan=False)


@given(st.lists(st.tuples(st.integers(-600, 600), numbers), min_size=1, max_size=20))
def test_every_reading_lies_within_the_frame(readings: list[tuple[int, float]]) -> None:
    points = sorted((at(minutes), value) for minutes, value in readings)
    chart = draw([Series(points, gap=MINUTE)], at(0), at(60))
    for x, y in chart.lines[0].dots:
        assert LEFT <= x <= RIGHT
        assert TOP - 0.1 <= y <= BOTTOM + 0.1


@given(numbers, numbers)
def test_value_ticks_enclose_the_values_at_even_steps(a: float, b: float) -> None:
    low, high = sorted((a, b))
    ticks = nice_ticks(low, high)
    assert 3 <= len(ticks) <= 6
    steps = [y - x for x, y in pairwise(ticks)]
    assert ticks[0] <= low + 1e-8 * steps[0]
    assert high - 1e-8 * steps[0] <= ticks[-1]
    assert max(steps) - min(steps) <= 1e-6 * max(1, abs(low), abs(high))


@given(st.integers(1, 30 * 24 * 60))
def test_time_ticks_are_few_and_lie_within(minutes: int) -> None:
    ticks = time_ticks(START, at(minutes))
    assert len(ticks) <= 5
    assert all(START <= tick <= at(minutes) for tick in ticks)


def test_time_ticks_are_round_in_local_time() -> None:
    day = time_ticks(START, at(24 * 60))
    assert [t.hour for t in day] == [12, 18, 0, 6]


def test_the_window_reaches_back_a_dozen_readings() -> None:
    span = Span(at(0), at(10), None)
    assert window(span, timedelta(0), at(20)) == (at(-30), at(20))
    assert window(span, 10 * MINUTE, at(20))[0] == at(-120)
    assert window(span, timedelta(days=3), at(20))[0] == START - timedelta(days=14)


def test_the_window_of_an_alert_that_stands_for_days_is_cut() -> None:
    assert window(Span(at(0), at(10), None), 5 * MINUTE, at(9999))[1] == at(130)
    assert window(Span(at(0), at(10), at(15)), 5 * MINUTE, at(9999))[1] == at(15)


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (-5, "刚刚", "just now"),
        (59, "刚刚", "just now"),
        (60, "1 分钟前", "1 min ago"),
        (3 * 3600 + 300, "3 小时 5 分钟前", "3 h 5 min ago"),
        (2 * 86400, "2 天前", "2 d ago"),
    ],
)
def test_how_long_ago(seconds: int, zh: str, en: str) -> None:
    for language, words in (("zh", zh), ("en", en)):
        teller = Teller(Speaker(language), SHANGHAI, START)
        assert teller.ago(START - timedelta(seconds=seconds)) == words


def test_local_time_names_the_day_only_where_it_is_another() -> None:
    teller = Teller(Speaker("en"), SHANGHAI, START)
    assert teller.clock(START.astimezone(UTC)) == "today 10:00"
    assert teller.clock(START - timedelta(hours=11)) == "20 Nov 23:00"
    assert teller.clock(START - timedelta(days=365)) == "21 Nov 2024 10:00"
    assert Teller(Speaker("zh"), SHANGHAI, START).clock(at(-1000)) == "11月20日 17:20"
    assert teller.exact(START) == "2025-11-21 10:00:00 +0800"


def test_values_carry_the_units_people_write() -> None:
    assert measure.unit(BY_NAME["body_temperature"], "zh") == "°C"
    assert measure.unit(BY_NAME["pulse"], "zh") == "次/分"
    assert measure.unit(BY_NAME["spo2"], "en") == "%"
    assert measure.unit(BY_NAME["smoke"], "en") == ""
    assert [measure.number(v) for v in (100.0, 0.5, 1 / 3)] == ["100", "0.5", "0.333"]


def test_pauses_grow_to_a_limit_and_are_forgotten() -> None:
    assert [pause_after(n) // SECOND for n in (4, 5, 6, 7)] == [0, 30, 60, 120]
    assert pause_after(1000) == LONGEST_PAUSE
    throttle = Throttle()
    for _ in range(9):
        throttle.failed("li", 0)
    assert throttle.wait("li", 0) == pause_after(9)
    throttle.failed("li", FORGET_AFTER + 1)
    assert throttle.wait("li", FORGET_AFTER + 1) == 0


def test_a_clock_set_back_makes_nobody_wait() -> None:
    throttle = Throttle()
    throttle.failed("li", 10 * HOUR)
    assert throttle.wait("li", 0) == 0
    for _ in range(FREE_FAILURES):
        throttle.failed("li", 10 * HOUR)
    assert 0 < throttle.wait("li", 0) <= pause_after(FREE_FAILURES + 1)


def test_the_throttle_remembers_a_bounded_number_of_codes() -> None:
    throttle = Throttle()
    for _ in range(5):
        throttle.failed("first", 0)
    for n in range(MOST_CODES):
        throttle.failed(f"guess-{n}", 0)
    assert throttle.wait("first", 0) == 0
