"""Netvox sensors: door, light, panic button, water leak, seats, air quality.

Layout: https://github.com/TheThingsNetwork/lorawan-devices, vendor/netvox, and Netvox's LoRaWAN
Application Command. fPort 6: version, device type, report type, then eight bytes; report type 0 is
the startup. The device type must be that of the model: another one is a model set wrongly. The
voltage is in tenths; its upper bit is "battery low"; 0 is a device without a battery. fPort 7 holds
answers to configuration. The published decode names R311A's contact only "OnOff": 1. That 1 is an
open door is assumed, as other servers' decoders do. R311WA's states are published as ON and OFF
only. It is listed beside the leak sensors, but users name it a seat occupancy sensor, and its
settings are times of detection: it is assumed to tell `presence`. 0xFFFF is a sensor that is not
there.
"""

from collections.abc import Callable

from devices.lorawan.frame import ALIVE, Frame, Heard, by_port, refused

_LENGTH = 11
_ANSWERS = (0x81, 0x82)
_NO_SENSOR = b"\xff\xff"
_Status = Callable[[Frame], Heard]


def _ports(kind: int, status: _Status) -> dict[int, _Status]:
    """What a device of this type sends; `status` reads the bytes from 4 on."""

    def report(frame: Frame) -> Heard:
        _check(frame.exactly(_LENGTH), kind)
        if frame.unsigned(0) != 1:
            raise refused(f"byte 0, the version, is {frame.unsigned(0)}, not 1")
        if frame.unsigned(2) == 0:
            return ALIVE
        heard = status(frame)
        return Heard({**heard.values, **_battery(frame)}, heard.attributes)

    def answer(frame: Frame) -> Heard:
        _check(frame.exactly(_LENGTH), kind)
        return _answer(frame)

    return {6: report, 7: answer}


def _check(frame: Frame, kind: int) -> None:
    if frame.unsigned(1) != kind:
        raise refused(f"byte 1, the device type, is {frame.unsigned(1)}; this model's is {kind}")


def _answer(frame: Frame) -> Heard:
    if frame.unsigned(0) not in _ANSWERS:
        raise refused(f"byte 0, the command, is {frame.unsigned(0)}, which is not known")
    return ALIVE


def _battery(frame: Frame) -> dict[str, float]:
    tenths = frame.bits(3, 0, 7)
    volts = {"battery_voltage": tenths / 10} if tenths else {}
    return {"battery_low": frame.flag(3, 7)} | volts


def _only(frame: Frame) -> Frame:
    """This frame, if it is the one kind of status report that most models have."""
    if frame.unsigned(2) != 1:
        raise refused(f"byte 2, the report type, is {frame.unsigned(2)}, not 0 or 1")
    return frame


def _state(frame: Frame, at: int = 4) -> float:
    if frame.unsigned(at) > 1:
        raise refused(f"byte {at}, a state, is {frame.unsigned(at)}, not 0 or 1")
    return float(frame.unsigned(at))


def _door(frame: Frame) -> Heard:
    return Heard({"door_open": _state(_only(frame))})


def _light(frame: Frame) -> Heard:
    return Heard({"illuminance": float(_only(frame).unsigned(4, 2))})


def _panic(frame: Frame) -> Heard:
    """Alarm 0 is the regular report: nobody pressed."""
    return Heard({"sos": 1.0} if _state(_only(frame)) else {})


def _leak(frame: Frame) -> Heard:
    return Heard({"water_leak": _state(_only(frame))})


def _either(metric: str) -> _Status:
    """Two probes: 1 where either is on; which of them is a fact beside the value."""

    def read(frame: Frame) -> Heard:
        on = [at - 3 for at in (4, 5) if _state(_only(frame), at)]
        return Heard({metric: float(bool(on))}, {"channels": on} if on else {})

    return read


_AIR: dict[int, dict[int, tuple[str, float]]] = {
    1: {6: ("pm2_5", 1), 8: ("pm10", 1)},
    2: {6: ("pm2_5", 1), 8: ("pm10", 1)},
    5: {6: ("co_concentration", 10)},
    7: {4: ("co2_concentration", 10), 8: ("noise", 10)},
    12: {4: ("temperature", 100), 6: ("humidity", 100)},
}
"""Report type of the RA07 series to position, metric and divisor of what has a metric."""

_AIR_REPORTS = range(1, 15)


def _air(frame: Frame) -> Heard:
    """Particle counts, other gases, water, soil and wind have no metric.

    Reports 1 and 2 are the same dust by two calibrations; both are published as PM2_5 and PM10.
    Report 13's air pressure has no published unit and is left out.
    """
    report = frame.unsigned(2)
    if report not in _AIR_REPORTS:
        raise refused(f"byte 2, the report type, is {report}, not 0 to {_AIR_REPORTS[-1]}")
    values: dict[str, float] = {}
    for at, (metric, divisor) in _AIR.get(report, {}).items():
        if frame.data[at : at + 2] != _NO_SENSOR:
            number = frame.signed(at, 2) if metric == "temperature" else frame.unsigned(at, 2)
            values[metric] = number / divisor
    return Heard(values)


def _press_time(frame: Frame) -> Heard:
    return _answer(frame.exactly(2))


MODELS = by_port(
    {
        "netvox/r311a": _ports(0x02, _door),
        "netvox/r311g": _ports(0x04, _light),
        "netvox/rb02i": _ports(0x10, _panic) | {13: _press_time},
        "netvox/r311w": _ports(0x06, _either("water_leak")),
        "netvox/r311wa": _ports(0x5A, _either("presence")),
        "netvox/r718wa": _ports(0x32, _leak),
        "netvox/ra0715": _ports(0x05, _air),
    }
)
