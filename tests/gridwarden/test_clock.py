from datetime import UTC, datetime, timedelta

import pytest

from devices.instant import HOUR, MINUTE, to_micros
from gridwarden.clock import ScaledClock, WallClock, clock_of
from gridwarden.settings import Settings


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
