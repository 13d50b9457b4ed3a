"""A morning in the town, to be looked at: alerts of every severity, with their readings."""

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.web.town import NOW, Connection, Town, both, build

SPO2, SMOKE, ACCESS_DENIED, DOOR_OPEN, PARKING_FREE = 34, 50, 22, 20, 11


@dataclass(frozen=True, slots=True)
class Scene:
    """The town, and its alerts by a short name."""

    town: Town
    alerts: dict[str, int]


def ago(minutes: float) -> dict[str, Any]:
    """Times of an alert that began so long ago."""
    since = NOW - timedelta(minutes=minutes)
    fired = since + timedelta(minutes=min(2, minutes / 2))
    return {"since": since, "fired_at": fired, "opened_at": fired}


async def stage(conn: Connection) -> Scene:
    """Builds the scene and commits it."""
    town = await build(conn)
    for code, kind, name, metric in (
        ("smoke-1", "smoke_detector", both("1单元烟感", "Smoke detector, entrance 1"), "smoke"),
        ("smoke-2", "smoke_detector", both("2单元烟感", "Smoke detector, entrance 2"), "smoke"),
        ("door", "door", both("1号楼单元门", "Building 1 front door"), "door_open"),
        ("park", "car_park", both("地下停车场", "Underground car park"), "parking_free"),
    ):
        await town.device(code, kind, name, [metric])
    alerts = {
        "smoke": await _smoke(town),
        "spo2": await _spo2(town),
        "access": await _access(town),
        "door": await _door(town),
        "orphan": await town.alert(
            title=both("车位占用消防通道", "Vehicle in the fire lane"), severity="orange", **ago(9)
        ),
    }
    await _ended(town)
    await town.conn.commit()
    return Scene(town, alerts)


async def _smoke(town: Town) -> int:
    for minutes in range(60, -1, -5):
        await town.heard("smoke-1", SMOKE, minutes, float(minutes <= 5))
        await town.heard("smoke-2", SMOKE, minutes, float(minutes <= 0))
    devices = [town.devices["smoke-1"], town.devices["smoke-2"]]
    return await town.alert(
        "li",
        "zhao",
        title=both("烟雾报警", "Smoke alarm"),
        devices=devices,
        metrics=[SMOKE],
        **ago(5),
    )


async def _spo2(town: Town) -> int:
    for minute in range(130, -1, -5):
        value = 96 + math.sin(minute / 9) if minute > 26 else 92 - (26 - minute) * 0.2
        if not 60 < minute < 100:
            await town.heard("ring", SPO2, minute, round(value, 1))
    text = """id: care.spo2_low
advice: {zh: 先电话联系住户；无人接听请上门，并通知家庭医生。,
         en: Phone the resident first. No answer - go there and tell the family doctor.}
"""
    await town.insert(
        "rules",
        code="care.spo2_low",
        fingerprint="f",
        source="c",
        line=1,
        text=text,
        valid_from=NOW,
    )
    alert = await town.alert(
        "li",
        rule_code="care.spo2_low",
        category="care",
        severity="orange",
        title=both("血氧过低", "Low blood oxygen"),
        household_id=town.homes["101"],
        device_id=town.devices["ring"],
        devices=[town.devices["ring"]],
        metrics=[SPO2],
        state="acknowledged",
        acknowledged_by=town.members["li"],
        acknowledged_at=NOW - timedelta(minutes=18),
        **ago(25),
    )
    lines = (
        (23, "opened", "condition_held", None),
        (23, "routed", "duty_above", None),
        (18, "acknowledged", "acknowledged", town.members["li"]),
        (9, "went_silent", "sensor_silent", None),
        (3, "heard_again", "heard", None),
    )
    for minutes, kind, reason, member in lines:
        at = NOW - timedelta(minutes=minutes)
        await town.insert(
            "alert_events", alert_id=alert, at=at, kind=kind, reason=reason, member_id=member
        )
    return alert


async def _access(town: Town) -> int:
    for n in range(5):
        facts = {"credential": f"04:A{n}:7F", "reason": "unknown_card"}
        await town.happened("reader", ACCESS_DENIED, 40 - n / 3, facts)
    return await town.alert(
        "li",
        category="access",
        severity="yellow",
        title=both("连续刷卡被拒", "Five refused cards in a row"),
        device_id=town.devices["reader"],
        devices=[town.devices["reader"]],
        metrics=[ACCESS_DENIED],
        **ago(40),
    )


async def _door(town: Town) -> int:
    for minutes in range(200, -1, -8):
        await town.heard("door", DOOR_OPEN, minutes, float(minutes % 48 < 9 or minutes < 70))
    return await town.alert(
        "li",
        category="access",
        severity="blue",
        title=both("门未关", "Door held open"),
        device_id=town.devices["door"],
        devices=[town.devices["door"]],
        metrics=[DOOR_OPEN],
        silent_since=NOW - timedelta(minutes=3),
        **ago(70),
    )


async def _ended(town: Town) -> None:
    closed = {"closed_by": town.members["li"], "outcome": "handled", "note": "已到场"}
    await town.alert(
        "li",
        severity="red",
        title=both("紧急呼叫", "SOS button pressed"),
        state="closed",
        closed_at=NOW - timedelta(hours=2),
        **closed,
        **ago(150),
    )
    await town.alert(
        "li",
        severity="yellow",
        category="parking",
        title=both("停车场将满", "Car park nearly full"),
        state="cleared",
        cleared_at=NOW - timedelta(hours=5),
        **ago(420),
    )
