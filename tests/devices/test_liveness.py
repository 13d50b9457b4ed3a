"""What is known of a device from what it said last."""

import pytest

from devices.instant import MINUTE
from devices.liveness import LOW_BATTERY, LastSaid, Liveness, liveness

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
