"""Moko LW001-BG, a tracker: state bits, battery, chip temperature. Positions have no metric.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/moko. Every frame on fPort 1 to
9 starts with the same three bytes. The fPort is the kind of the frame. `temperature` is that of its
chip. The heartbeat's motion count is left out: whether it ever starts again is not published. The
time of a position frame is that of the position, a while ago, and is not used.
"""

from collections.abc import Callable

from devices.lorawan.frame import Frame, Heard, by_port, refused


def _head(frame: Frame) -> dict[str, float]:
    return {
        "battery_low": frame.flag(0, 2),
        "tamper": frame.flag(0, 3),
        "motion": frame.flag(0, 5),
        "temperature": float(frame.signed(1)),
        "battery_voltage": (22 + frame.bits(2, 4, 4)) / 10,
    }


def _fixed(length: int) -> Callable[[Frame], Heard]:
    return lambda frame: Heard(_head(frame.exactly(length)))


def _heartbeat(frame: Frame) -> Heard:
    return Heard({**_head(frame.exactly(9)), "heartbeat": 1.0})


def _counted(at: int) -> Callable[[Frame], Heard]:
    """A frame whose byte `at` tells how many bytes follow it."""

    def read(frame: Frame) -> Heard:
        length = at + 1 + frame.unsigned(at)
        return Heard(_head(frame.exactly(length)))

    return read


def _taken_off(frame: Frame) -> Heard:
    """The alarm that it was taken off its place; bit 3 of byte 0 says the same."""
    head = _head(frame.exactly(11))
    if not head["tamper"]:
        raise refused("a tamper alarm whose tamper bit, bit 3 of byte 0, is 0")
    return Heard(head)


MODELS = by_port(
    {
        "moko/lw001-bg": {
            1: _heartbeat,
            2: _counted(12),
            3: _counted(4),
            4: _fixed(4),
            5: _fixed(5),
            6: _fixed(5),
            7: _taken_off,
            8: _fixed(4),
            9: _fixed(19),
        }
    }
)
