"""What is known of a device from what it said last."""

import pytest

from devices.instant import MINUTE, NEVER
from devices.liveness import LOW_BATTERY, LastSaid, Liveness, gone_since, liveness

NOW = 1_000 * MINUTE
LIMIT = 30 * MINUTE


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (LastSaid(), Liveness.NEVER_HEARD),
        (LastSaid(heard=NOW), Liveness.ONLINE),
        (LastSaid(heard=NOW - LIMIT), Liveness.ONLINE),
        (LastSaid(heard=NOW - LIMIT - 1), Liveness.SILENT),
        (LastSaid(heard=NOW + MINUTE), Liveness.ONLINE),
        (LastSaid(heard=NOW, left=NOW), Liveness.OFFLINE),
        (LastSaid(heard=NOW - LIMIT - 1, left=NOW - LIMIT - 1), Liveness.OFFLINE),
        (LastSaid(heard=NOW, left=NOW - 1), Liveness.ONLINE),
        (LastSaid(heard=NOW, battery=LOW_BATTERY), Liveness.LOW_BATTERY),
        (LastSaid(heard=NOW, battery=LOW_BATTERY + 0.1), Liveness.ONLINE),
        (LastSaid(heard=NOW, battery=90.0, battery_low=1.0), Liveness.LOW_BATTERY),
        (LastSaid(heard=NOW, battery_low=0.0), Liveness.ONLINE),
        (LastSaid(heard=NOW - LIMIT - 1, battery=1.0), Liveness.SILENT),
    ],
)
def test_liveness(said: LastSaid, expected: Liveness) -> None:
    assert liveness(said, LIMIT, NOW) is expected


GONE = NOW - 10 * MINUTE


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (LastSaid(), Liveness.UNKNOWN),
        (LastSaid(heard=GONE), Liveness.UNKNOWN),
        (LastSaid(heard=GONE, battery=1.0), Liveness.UNKNOWN),
        (LastSaid(heard=GONE, left=GONE), Liveness.UNKNOWN),
        (LastSaid(heard=GONE + 1), Liveness.ONLINE),
        (LastSaid(heard=GONE + 1, battery=1.0), Liveness.LOW_BATTERY),
        (LastSaid(heard=GONE + 1, left=GONE + 1), Liveness.OFFLINE),
    ],
)
def test_a_device_whose_gateway_is_gone(said: LastSaid, expected: Liveness) -> None:
    assert liveness(said, LIMIT, NOW, gateway_gone=GONE) is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (LastSaid(), NEVER),
        (LastSaid(heard=NOW), None),
        (LastSaid(heard=NOW, battery=1.0), None),
        (LastSaid(heard=NOW - LIMIT - 1), NOW - 1),
        (LastSaid(heard=NOW - 5, left=NOW - 5), NOW - 5),
        (LastSaid(heard=NOW, left=NOW - 5), None),
    ],
)
def test_since_when_a_gateway_is_gone(said: LastSaid, expected: int | None) -> None:
    assert gone_since(said, LIMIT, NOW) == expected
