"""MClimate flood sensor: two bytes, or three with the temperature.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/mclimate. The three upper bits
of byte 0 are the reason: 0 regular, 1 test button, 2 flood, 3 opened. Bit 3 is the tamper contact,
bit 1 the flood. The battery comes in steps of 16 mV.
"""

from devices.lorawan.frame import Frame, Heard, by_port, refused


def _flood(frame: Frame) -> Heard:
    if len(frame.data) not in (2, 3):
        raise refused(f"frame has {len(frame.data)} bytes, not 2 or 3")
    reason = frame.bits(0, 5, 3)
    if reason > 3:
        raise refused(f"the reason, bits 5 to 7 of byte 0, is {reason}, not 0 to 3")
    values = {
        "water_leak": frame.flag(0, 1),
        "tamper": frame.flag(0, 3),
        "battery_voltage": frame.unsigned(1) * 16 / 1_000,
    }
    if reason == 1:
        values["test"] = 1.0
    if frame.has(2):
        values["temperature"] = float(frame.unsigned(2))
    return Heard(values)


MODELS = by_port({"mclimate/flood-sensor": {2: _flood}})
