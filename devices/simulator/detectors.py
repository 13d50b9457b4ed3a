"""Devices that mostly say that nothing is wrong: heartbeats, states at 0, batteries."""

from collections.abc import Iterator

import numpy as np

from devices.reading import I32, I64
from devices.simulator.cast import Role
from devices.simulator.chance import bits, normal
from devices.simulator.scene import HOUR_MS, Lines, Scene, every

STATES = ("smoke", "gas", "water_leak", "carbon_monoxide")


def repeat(scene: Scene, rows: I32) -> I64:
    """How often a quiet device speaks, ms: 0.75 of its interval, so that late ones are in time."""
    return np.maximum(1_000, scene.cast.interval[rows] * 3 // 4)


def heartbeats(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """That the device lives."""
    if "heartbeat" in role.metrics:
        who, at = every(scene, rows, repeat(scene, rows), "heartbeat")
        yield Lines(who, at, ("heartbeat",), (np.ones(len(who), np.int64),))


def batteries(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """The charge, twice a day, from 45 to 99 % by device."""
    if "battery" in role.metrics:
        who, at = every(scene, rows, np.full(len(rows), 12 * HOUR_MS), "battery")
        level = 45 + (bits(scene.cast.key[who], "charge") % np.uint64(55)).astype(np.int64)
        yield Lines(who, at, ("battery",), (level,))


def quiet(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """No smoke, no water on the floor, …: states at 0."""
    names = tuple(name for name in STATES if name in role.metrics)
    if names:
        who, at = every(scene, rows, repeat(scene, rows), "quiet")
        yield Lines(who, at, names, tuple(np.zeros(len(who), np.int64) for _ in names))


def gas(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """No gas, and a concentration of a few ppm where it is measured."""
    if "gas_concentration" not in role.metrics:
        yield from quiet(scene, role, rows)
        return
    who, at = every(scene, rows, scene.cast.interval[rows] // 2, "gas")
    noise = normal(scene.cast.key[who], "ppm", scene.sensed(who, at))
    ppm = np.round(np.abs(3.0 + noise), 1)
    if "gas" in role.metrics:
        yield Lines(who, at, ("gas", "gas_concentration"), (np.zeros(len(who), np.int64), ppm))
    else:
        yield Lines(who, at, ("gas_concentration",), (ppm,))
