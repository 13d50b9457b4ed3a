"""Browan (Tabs) sensors: panic button, motion, water leak.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/browan. Byte 0 is the state, the
lower half of byte 1 the voltage, byte 2 the board's temperature, 32 °C below what stands there. The
board's temperature is kept as `temperature` where there is no other: it is near the room's. The
button's own count has no metric; a frame whose state is 0 is its regular one, nobody pressed.
"""

from devices.lorawan.frame import Frame, Heard, by_port


def _voltage(frame: Frame) -> float:
    return (25 + frame.bits(1, 0, 4)) / 10


def _celsius(frame: Frame, at: int) -> float:
    return float(frame.bits(at, 0, 7) - 32)


def _button(frame: Frame) -> Heard:
    frame.exactly(8)
    values = {"battery_voltage": _voltage(frame), "temperature": _celsius(frame, 2)}
    return Heard(values | ({"sos": 1.0} if frame.bits(0, 0) else {}))


def _motion(frame: Frame) -> Heard:
    """Bytes 3 and 4 are the minutes since the last motion, 5 to 7 the motions so far."""
    frame.exactly(8)
    return Heard(
        {
            "motion": frame.flag(0, 0),
            "battery_voltage": _voltage(frame),
            "temperature": _celsius(frame, 2),
            "motion_count": float(frame.unsigned(5, 3, little=True)),
        }
    )


def _leak(frame: Frame) -> Heard:
    frame.exactly(5)
    return Heard(
        {
            "water_leak": frame.flag(0, 0),
            "battery_voltage": _voltage(frame),
            "humidity": float(frame.unsigned(3)),
            "temperature": _celsius(frame, 4),
        }
    )


MODELS = by_port(
    {
        "browan/tbpb100": {147: _button},
        "browan/tbms100": {102: _motion},
        "browan/tbwl100": {106: _leak},
    }
)
