"""Laird RS1xx: temperature, humidity and an open/closed contact.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/laird. Byte 0 is the kind of the
message, byte 1 its options, of which bit 4 is the sensor's fault. A number is two bytes, hundredths
first; below zero both are negative. The battery is one of six ranges; its lower end is kept ("80-
100%" as 80). Aggregated and backlog messages carry readings of earlier with times of their own:
these readings are left out, only what belongs to now is kept (fault, battery, that it lives).
Contact state 1 is open. As a push button, nothing is published on which state is "pressed": the
contact's state is a fact beside the heartbeat. RTD messages (11, 12) are refused.
"""

from collections.abc import Callable

from devices.lorawan.frame import Frame, Heard, alive, by_port, refused

_BATTERY = (0.0, 5.0, 20.0, 40.0, 60.0, 80.0)
_DOOR, _BUTTON = 0, 1


def _number(frame: Frame, at: int) -> float:
    hundredths, whole = frame.signed(at), frame.signed(at + 1)
    if abs(hundredths) > 99 or hundredths * whole < 0:
        raise refused(f"bytes {at} and {at + 1} are {hundredths} hundredths and {whole} whole")
    return round(whole + hundredths / 100, 2)


def _battery(frame: Frame, at: int) -> float:
    level = frame.unsigned(at)
    if level >= len(_BATTERY):
        raise refused(f"byte {at}, the battery, is {level}, not 0 to {len(_BATTERY) - 1}")
    return _BATTERY[level]


def _climate(frame: Frame) -> Heard:
    frame.exactly(11)
    return Heard(
        {
            "humidity": _number(frame, 2),
            "temperature": _number(frame, 4),
            "battery": _battery(frame, 6),
        }
    )


def _aggregated(frame: Frame) -> Heard:
    frame.exactly(11 + 4 * frame.unsigned(6))
    return Heard({"battery": _battery(frame, 5), "heartbeat": 1.0})


def _backlogs(frame: Frame) -> Heard:
    frame.exactly(3 + 8 * frame.unsigned(2))
    return Heard({"heartbeat": 1.0})


def _contact(frame: Frame) -> Heard:
    mode, state = frame.exactly(6).unsigned(2), frame.unsigned(3)
    if mode not in (_DOOR, _BUTTON) or state > 1:
        raise refused(f"mode {mode} and state {state} of the contact, bytes 2 and 3, are not known")
    if mode == _DOOR:
        return Heard({"door_open": float(state)})
    return Heard({"heartbeat": 1.0}, {"contact": "open" if state else "closed"})


def _voltage(frame: Frame) -> Heard:
    return Heard({"battery_voltage": _number(frame.exactly(4), 2)})


_KINDS: dict[int, Callable[[Frame], Heard]] = {
    1: _climate,
    2: _aggregated,
    3: alive(10),
    4: _backlogs,
    5: alive(8),
    6: alive(16),
    7: alive(11),
    8: alive(10),
    9: _contact,
    10: _voltage,
}


def _message(frame: Frame) -> Heard:
    kind = frame.unsigned(0)
    if kind not in _KINDS:
        raise refused(f"byte 0, the kind of the message, is {kind}, which is not known")
    heard = _KINDS[kind](frame)
    return Heard({**heard.values, "fault": frame.flag(1, 4)}, heard.attributes)


MODELS = by_port({"laird/rs1xx-ext-multi-sensor": {1: _message}})
