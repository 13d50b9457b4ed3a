"""Aquascope WWD: a water leak detector that shuts a valve.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/aquascope. Byte 0: bit 0 leak,
bit 1 closed from afar, which has no metric. The vendor's decoder multiplies the temperature's upper
byte by 255; here it is taken as the number of two bytes that it is.
"""

from devices.lorawan.frame import Frame, Heard, by_port


def _regular(frame: Frame) -> Heard:
    frame.exactly(4)
    return Heard(
        {"battery": float(frame.unsigned(1)), "temperature": float(frame.signed(2, 2))},
    )


def _leak(frame: Frame) -> Heard:
    return Heard({"water_leak": frame.flag(0, 0), **_regular(frame).values})


MODELS = by_port({"aquascope/wwd": {10: _leak, 16: _regular}})
