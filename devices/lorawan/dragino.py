"""Dragino door and water leak sensors.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/dragino, and Dragino's manuals.
LDS02, LWL01 and LWL02 send alike on fPort 10: bit 15 of the voltage is "door open" (1 is open), bit
14 "water leak"; byte 2 is the mode: 1 door, 2 leak, 3 both. The full frame has ten bytes; the
published one has seven, and its "last duration" is filled up with zeros. That duration is not read.
The alarm bit is the time-out of a state that lasts: with an open door, a door held open.
LDS03A sends its state on fPort 2 with a time of its own, which is not used (the network server's
is), and what it recorded earlier on fPort 3: that is refused, it is not of now.
"""

from devices.errors import FormatError, RejectReason
from devices.lorawan.frame import Frame, Heard, alive, by_port, refused


def _door_or_leak(frame: Frame) -> Heard:
    values = {"battery_voltage": (frame.unsigned(0, 2) & 0x3FFF) / 1_000}
    mode = frame.unsigned(2)
    if mode not in (1, 2, 3):
        raise refused(f"byte 2, the mode, is {mode}, not 1, 2 or 3")
    if mode != 2:
        values["door_open"] = frame.flag(0, 7)
    if mode != 1:
        values["water_leak"] = frame.flag(0, 6)
    if mode == 1:
        values["door_open_count"] = float(frame.unsigned(3, 3))
    if mode != 2 and frame.has(9) and frame.bits(9, 0) and values["door_open"]:
        values["door_held_open"] = 1.0
    return Heard(values)


def _outdoor_door(frame: Frame) -> Heard:
    frame.exactly(11)
    values = {"door_open": frame.flag(0, 0), "door_open_count": float(frame.unsigned(1, 3))}
    if frame.bits(0, 1) and values["door_open"]:
        values["door_held_open"] = 1.0
    return Heard(values)


def _recorded(_: Frame) -> Heard:
    raise FormatError(
        RejectReason.NO_READING, "states recorded earlier, each with its own time; none is of now"
    )


def _outdoor_status(frame: Frame) -> Heard:
    """The device's information; byte 0 names the model, the last two bytes are the voltage."""
    if frame.exactly(7).unsigned(0) != 0x0A:
        raise refused(f"byte 0, the model, is {frame.unsigned(0)}, not 10 for an LDS03A")
    return Heard({"battery_voltage": frame.unsigned(5, 2) / 1_000, "heartbeat": 1.0})


MODELS = by_port(
    {
        "dragino/lds02": {10: _door_or_leak},
        "dragino/lwl01": {10: _door_or_leak},
        "dragino/lwl02": {10: _door_or_leak},
        "dragino/lds03a": {2: _outdoor_door, 3: _recorded, 4: alive(7), 5: _outdoor_status},
    }
)
