"""Kinds of device: what each reports, and how often it is expected to be heard.

A site's device names its kind and may state other metrics or another interval. `interval` is the
longest a healthy device of that kind stays silent; past three of them it counts as silent, and what
it last said is unknown (3 × is this project's choice).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType

from devices.instant import HOUR, MINUTE, Micros

SILENT_AFTER_INTERVALS = 3

GATEWAY = "gateway"
"""The kind of device that others may be behind: it hands on what they say."""


@dataclass(frozen=True, slots=True)
class DeviceKind:
    """A kind of device. `metrics` are names of `devices.metric`; `interval` is in microseconds."""

    name: str
    metrics: tuple[str, ...]
    interval: Micros
    zh: str
    en: str


_ALL = (
    DeviceKind(
        "parking_bay", ("occupied", "battery", "battery_low"), HOUR, "车位检测器", "bay sensor"
    ),
    DeviceKind("car_park", ("parking_free",), 10 * MINUTE, "停车场", "car park"),
    DeviceKind(
        "barrier",
        ("barrier_open", "vehicle_entry", "vehicle_exit", "heartbeat"),
        10 * MINUTE,
        "道闸",
        "barrier",
    ),
    DeviceKind(
        "door",
        (
            "door_open",
            "access_granted",
            "access_denied",
            "door_forced",
            "heartbeat",
            "door_held_open",
            "tamper",
        ),
        10 * MINUTE,
        "门禁",
        "door controller",
    ),
    DeviceKind(
        "card_reader", ("access_granted", "access_denied"), 24 * HOUR, "读卡器", "card reader"
    ),
    DeviceKind(
        "sos_button",
        ("sos", "battery", "heartbeat", "battery_low"),
        12 * HOUR,
        "紧急按钮",
        "SOS button",
    ),
    DeviceKind(
        "motion_sensor", ("motion", "battery", "battery_low"), HOUR, "人体传感器", "motion sensor"
    ),
    DeviceKind(
        "water_meter", ("water_volume", "battery", "battery_low"), HOUR, "智能水表", "water meter"
    ),
    DeviceKind(
        "wearable", ("pulse", "spo2", "fall", "sos", "battery"), 10 * MINUTE, "手环", "wearable"
    ),
    DeviceKind(
        "vital_signs",
        (
            "pulse",
            "systolic",
            "diastolic",
            "body_temperature",
            "skin_temperature",
            "body_weight",
            "body_water",
            "muscle_mass",
            "spo2",
            "breathing_rate",
        ),
        24 * HOUR,
        "健康监测仪",
        "vital signs monitor",
    ),
    DeviceKind(
        "smoke_detector", ("smoke", "battery", "battery_low"), 12 * HOUR, "烟感", "smoke detector"
    ),
    DeviceKind(
        "gas_detector", ("gas", "gas_concentration", "battery"), HOUR, "燃气探测器", "gas detector"
    ),
    DeviceKind(
        "leak_sensor",
        ("water_leak", "battery", "battery_low"),
        12 * HOUR,
        "水浸传感器",
        "leak sensor",
    ),
    DeviceKind(GATEWAY, ("heartbeat",), 5 * MINUTE, "网关", "gateway"),
)

BY_NAME = MappingProxyType({k.name: k for k in _ALL})

_TOLD_BY = MappingProxyType(
    {
        "occupied": "parking_bay",
        "parking_free": "car_park",
        "barrier_open": "barrier",
        "door_open": "door",
        "sos": "sos_button",
        "motion": "motion_sensor",
        "presence": "motion_sensor",
        "water_volume": "water_meter",
        "smoke": "smoke_detector",
        "gas": "gas_detector",
        "gas_concentration": "gas_detector",
        "water_leak": "leak_sensor",
    }
)
"""Metric to the kind of device whose purpose it is."""


def kind_told_by(metrics: Iterable[str]) -> DeviceKind | None:
    """The kind of a device that gives these metrics; None where none of them tells, or several do.

    The wearables and monitors of vital signs are not told apart by what they measure.
    """
    kinds = {_TOLD_BY[name] for name in metrics if name in _TOLD_BY}
    return BY_NAME[kinds.pop()] if len(kinds) == 1 else None
