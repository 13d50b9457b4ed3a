"""Digital Matter Oyster, a tracker: its battery and that it lives. Positions have no metric.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/digital-matter. "Man down", on
fPort 4, is a fact beside the numbers where it is set: it is no detected fall.
"""

from devices.lorawan.frame import Frame, Heard, alive, by_port

_VOLTS = 0.025


def _position(frame: Frame) -> Heard:
    return Heard({"battery_voltage": round(frame.exactly(11).unsigned(10) * _VOLTS, 3)})


def _short_position(frame: Frame) -> Heard:
    values = {"battery_voltage": round(frame.exactly(9).unsigned(7) * _VOLTS, 3)}
    return Heard(values, {"man_down": True} if frame.bits(8, 2) else {})


MODELS = by_port(
    {"digital-matter/oyster": {1: _position, 2: alive(3), 3: alive(11), 4: _short_position}}
)
