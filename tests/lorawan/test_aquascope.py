"""Aquascope: a leak, an ordinary report, and a frame that ends early."""

import pytest

from devices.errors import FormatError
from devices.lorawan import read_frame


def test_a_leak_and_a_regular_report() -> None:
    leak = read_frame("aquascope/wwd", 10, bytes.fromhex("0164001d"))
    assert leak.values == {"water_leak": 1.0, "battery": 100.0, "temperature": 29.0}
    cold = read_frame("aquascope/wwd", 16, bytes.fromhex("0050fffb"))
    assert cold.values == {"battery": 80.0, "temperature": -5.0}


def test_a_frame_that_ends_early_is_refused() -> None:
    with pytest.raises(FormatError, match="frame has 3 bytes, not 4"):
        read_frame("aquascope/wwd", 10, bytes.fromhex("016400"))
