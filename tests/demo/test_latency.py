"""Latency is real time from the message that fired an alert, or from the timer's instant."""

import pytest

from devices.instant import MINUTE, SECOND
from gridwarden.clock import ScaledClock
from gridwarden.latency import REMEMBERED, LatencyMeter

CLOCK = ScaledClock(origin=1_000 * MINUTE, real_origin=0, speed=240)
FIRED = 1_000 * MINUTE + 240 * SECOND


def test_an_alert_fired_by_a_message_is_timed_from_its_publish() -> None:
    meter = LatencyMeter(CLOCK)
    meter.published("sos-1", FIRED, 1_500_000)
    assert meter.arrived(["sos-1"], FIRED, 1_800_000) == pytest.approx(0.3)


def test_an_alert_fired_by_a_timer_is_timed_from_when_the_timer_was_due() -> None:
    meter = LatencyMeter(CLOCK)
    meter.published("watch-1", FIRED - MINUTE, 750_000)
    assert meter.arrived(["watch-1"], FIRED, 1_250_000) == pytest.approx(0.25)


def test_a_message_published_twice_counts_from_the_first() -> None:
    meter = LatencyMeter(CLOCK)
    meter.published("sos-1", FIRED, 1_000_000)
    meter.published("sos-1", FIRED, 1_100_000)
    assert meter.arrived(["sos-1"], FIRED, 1_500_000) == pytest.approx(0.5)


def test_percentiles_are_over_all_alerts_and_absent_before_the_first() -> None:
    meter = LatencyMeter(CLOCK)
    assert meter.percentiles().p50 is None
    for n in range(1, 101):
        meter.published("d", FIRED + n * 1_000, 0)
        meter.arrived(["d"], FIRED + n * 1_000, n * 10_000)
    measured = meter.percentiles()
    assert measured.count == 100
    assert measured.p50 == pytest.approx(0.505)
    assert measured.p99 == pytest.approx(0.9901)


def test_old_messages_are_forgotten() -> None:
    meter = LatencyMeter(CLOCK)
    meter.published("first", FIRED, 5)
    for n in range(REMEMBERED):
        meter.published("d", n * 1_000, 0)
    due = CLOCK.real(FIRED)
    assert meter.arrived(["first"], FIRED, due + 100) == pytest.approx(100e-6)
