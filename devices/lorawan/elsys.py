"""Elsys room and desk sensors: a frame is a row of fields, each a type byte and its bytes.

https://www.elsys.se/en/elsys-payload/. Elsys lets its owner choose the fPort, so any is read. A
type that is not known is refused: its length is not known either, so neither is what follows it.
Motion is the number of movements since the last frame, no counter: `motion` is whether there were
any. Occupancy is 0, 1 (somebody may be coming or going: nothing is said) or 2. A leak is a level,
from 0 to 255; any above 0 is a leak. Of sound the mean is kept, not the peak.
"""

from collections.abc import Callable

from devices.lorawan.frame import Decoder, Frame, Heard, refused

_Read = Callable[[Frame, int], dict[str, float]]


def _presence(frame: Frame, at: int) -> dict[str, float]:
    state = frame.unsigned(at)
    if state > 2:
        raise refused(f"byte {at}, the occupancy, is {state}, not 0, 1 or 2")
    return {} if state == 1 else {"presence": state / 2}


_READ: dict[int, _Read] = {
    0x01: lambda f, at: {"temperature": f.signed(at, 2) / 10},
    0x02: lambda f, at: {"humidity": float(f.unsigned(at))},
    0x04: lambda f, at: {"illuminance": float(f.unsigned(at, 2))},
    0x05: lambda f, at: {"motion": float(f.unsigned(at) > 0)},
    0x06: lambda f, at: {"co2_concentration": float(f.unsigned(at, 2))},
    0x07: lambda f, at: {"battery_voltage": f.unsigned(at, 2) / 1_000},
    0x11: _presence,
    0x12: lambda f, at: {"water_leak": float(f.unsigned(at) > 0)},
    0x14: lambda f, at: {"air_pressure": f.unsigned(at, 4) / 1_000},
    0x15: lambda f, at: {"noise": float(f.unsigned(at + 1))},
}
_LENGTH = (
    {0x01: 2, 0x02: 1, 0x03: 3, 0x04: 2, 0x05: 1, 0x06: 2, 0x07: 2, 0x08: 2, 0x09: 6}
    | {0x0A: 2, 0x0B: 4, 0x0C: 2, 0x0D: 1, 0x0E: 2, 0x0F: 1, 0x10: 4, 0x11: 1, 0x12: 1}
    | {0x13: 65, 0x14: 4, 0x15: 2, 0x16: 2, 0x17: 4, 0x18: 2, 0x19: 2}
)
"""Type to how many bytes follow it."""


def _fields(_: int, data: bytes) -> Heard:
    frame, at = Frame(data), 0
    values: dict[str, float] = {}
    frame.unsigned(0)
    while frame.has(at):
        kind = frame.unsigned(at)
        if kind not in _LENGTH:
            raise refused(f"byte {at}, the type of a field, is {kind}, which is not known")
        frame.unsigned(at + 1, _LENGTH[kind])
        if kind in _READ:
            values |= _READ[kind](frame, at + 1)
        at += 1 + _LENGTH[kind]
    return Heard(values or {"heartbeat": 1.0})


MODELS: dict[str, Decoder] = {"elsys/ers": _fields, "elsys/ems-desk": _fields}
