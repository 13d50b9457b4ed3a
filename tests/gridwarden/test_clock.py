from datetime import UTC, datetime, timedelta

import pytest

from devices.instant import DAY, HOUR, MINUTE, SECOND, Micros, to_micros
from gridwarden.clock import ForwardClock, ScaledClock, WallClock, clock_of
from gridwarden.settings import Settings
from tests.clock import Steppable


def test_the_wall_clock_is_real_time() -> None:
    before = to_micros(datetime.now(UTC))
    assert before <= WallClock().now() <= to_micros(datetime.now(UTC)) + MINUTE


def test_a_scaled_clock_runs_faster_from_its_origin() -> None:
    real = WallClock().now()
    clock = ScaledClock(origin=0, real_origin=real - MINUTE, speed=60)
    assert HOUR <= clock.now() < HOUR + HOUR


def test_two_processes_with_the_same_settings_tell_the_same_time() -> None:
    real = datetime.now(UTC) - timedelta(minutes=10)
    settings = Settings(
        clock_origin=datetime(2026, 1, 1, tzinfo=UTC), clock_real_origin=real, clock_speed=6
    )
    one, other = clock_of(settings), clock_of(settings)
    assert one == other
    assert one.now() == pytest.approx(to_micros(datetime(2026, 1, 1, 1, tzinfo=UTC)), abs=HOUR / 6)


def test_without_an_origin_the_clock_is_the_wall_clock() -> None:
    assert isinstance(clock_of(Settings()), WallClock)


NOON = 20_000 * DAY + 12 * HOUR


def shown(host: Steppable, clock: ForwardClock, *passing: Micros) -> list[Micros]:
    """What the clock shows, as of noon, after each of these spans of the host's."""
    times = []
    for span in passing:
        host.advance(span)
        times.append(clock.now() - NOON)
    return times


def test_a_clock_that_is_set_back_goes_on_at_half_the_pace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    host = Steppable(NOON)
    clock = ForwardClock(host)
    assert shown(host, clock, MINUTE) == [MINUTE]
    host.step(-HOUR)
    begin, half, agreed, later = shown(host, clock, 0, HOUR, HOUR, MINUTE)
    assert (begin, half) == (MINUTE, MINUTE + HOUR // 2)
    assert agreed == MINUTE + HOUR, "both show the same again"
    assert later == agreed + MINUTE
    assert [vars(r)["by_s"] for r in caplog.records] == [3_600]


def test_a_clock_that_is_set_back_twice_never_goes_back() -> None:
    host = Steppable(NOON)
    clock = ForwardClock(host)
    host.step(-HOUR)
    first = shown(host, clock, MINUTE)
    host.step(-HOUR)
    second = shown(host, clock, 0, 0, MINUTE, 4 * HOUR)
    assert first + second == sorted(first + second)
    assert second[2] - second[1] == MINUTE // 2
    assert second[-1] == host.now() - NOON


def test_a_clock_that_is_set_ahead_is_followed_at_once() -> None:
    host = Steppable(NOON)
    clock = ForwardClock(host)
    host.step(-HOUR)
    clock.now()
    host.step(2 * HOUR)
    assert shown(host, clock, 0, SECOND) == [HOUR, HOUR + SECOND]


def test_a_clock_that_was_wrong_by_more_than_a_day_is_believed_when_it_is_right() -> None:
    host = Steppable(NOON + 300 * DAY)
    clock = ForwardClock(host)
    host.step(-300 * DAY)
    assert shown(host, clock, 0, SECOND) == [0, SECOND]


@pytest.mark.parametrize(("before", "first"), [(HOUR, HOUR), (-HOUR, 0), (2 * DAY, 0)])
def test_where_the_last_process_was_this_one_goes_on(before: Micros, first: Micros) -> None:
    host = Steppable(NOON)
    clock = ForwardClock(host, NOON + before)
    assert shown(host, clock, 0, 0) == [first, first]
