"""Abeeway trackers: SOS, movement, temperature of the tracker. Positions have no metric.

Layout: the Abeeway trackers reference guide. Five bytes start every frame on fPort 18: type, state,
battery, temperature, acknowledgement. The state has the mode in bits 5 to 7, SOS in bit 4, moving
in bit 2 (no published frame has one of these two set); the temperature is 129 °C over 255 steps
from -44 °C. The guide has the battery in percent, the published frames have 193 and 249 there: it
is left out. While the SOS state lasts every frame repeats it.
The specific part is read for its presence only: its length is not checked but for a GPS position
and an event.
"""

from devices.lorawan.frame import Frame, Heard, by_port, refused

_POSITION, _EVENT, _HEARTBEAT = 0x03, 0x0A, 0x05
_GPS = 0
_KINDS = {
    _POSITION: "position",
    0x04: "status",
    _HEARTBEAT: "heartbeat",
    0x07: "activity or configuration",
    0x09: "shutdown",
    _EVENT: "event",
    0x0B: "scan",
    0x0E: "extended position",
}


def _tracker(frame: Frame) -> Heard:
    kind = frame.unsigned(0)
    if kind not in _KINDS:
        raise refused(f"byte 0, the type of the message, is {kind}, which is not known")
    _long_enough(frame, kind)
    values = {
        "temperature": round(frame.unsigned(3) * 129 / 255 - 44, 1),
        "motion": frame.flag(1, 2),
    }
    if frame.bits(1, 4):
        values["sos"] = 1.0
    if kind == _HEARTBEAT:
        values["heartbeat"] = 1.0
    return Heard(values)


def _long_enough(frame: Frame, kind: int) -> None:
    needed = 5
    if kind == _EVENT:
        needed = 6
    if kind == _POSITION and frame.bits(4, 0, 4) == _GPS:
        needed = 13
    frame.unsigned(0, needed)


MODELS = by_port({"abeeway/asset-tracker-2": {18: _tracker}})
