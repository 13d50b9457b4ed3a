"""Nwave parking bay sensors and car counters.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/nwave. A bay sensor's frames
carry its state in bit 0 of the first byte (of the last one in a startup). The counter is of two
bytes and starts again from 0 after 65535.
"""

from devices.lorawan.frame import Frame, Heard, alive, by_port


def _bay(frame: Frame) -> Heard:
    return Heard({"occupied": frame.exactly(1).flag(0, 0)})


def _bay_startup(frame: Frame) -> Heard:
    return Heard({"occupied": frame.exactly(5).flag(4, 0), "heartbeat": 1.0})


def _count(frame: Frame) -> Heard:
    return Heard({"vehicle_count": float(frame.exactly(2).unsigned(0, 2))})


def _counter_heartbeat(frame: Frame) -> Heard:
    """Byte 0: health bits, whose meaning is not published; byte 2: the mean voltage of a day."""
    millivolts = 2_500 + 4 * frame.exactly(3).unsigned(1)
    return Heard({"battery_voltage": millivolts / 1_000, "heartbeat": 1.0})


MODELS = by_port(
    {
        "nwave/nps310sm": {1: _bay, 2: _bay, 3: _bay_startup},
        "nwave/ncc405": {1: _count, 2: _counter_heartbeat, 3: alive(4)},
    }
)
