"""Vital signs: of the wrist all day, of the cuff and the thermometer in the morning.

Pulse: resting 58 to 74 a minute by person, some 8 less asleep, more when moving about. SpO2: 97 ±
0.7 %, or 90 ± 0.8 where the device's attribute `copd` is set (88 to 92 % is the target of the
British Thoracic Society's guideline of 2017 for such patients). The rest is our choice.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from devices.reading import F64, I32, I64, Bool
from devices.simulator.cast import NOWHERE, Role
from devices.simulator.chance import between, draw, normal
from devices.simulator.home import SLOT_MS
from devices.simulator.scene import HOUR_MS, Lines, Numbers, Scene, every


def wearable(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """Pulse and blood oxygen every half interval, with the noise of a wrist."""
    names = tuple(name for name in ("pulse", "spo2") if name in role.metrics)
    if names:
        who, at = every(scene, rows, scene.cast.interval[rows] // 2, "wrist")
        seen = scene.sensed(who, at)
        yield Lines(who, at, names, tuple(_SIGNS[name](scene, who, seen) for name in names))


def vital_signs(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """A full set after getting up, and often one before supper; more where a shorter interval is
    promised.
    """
    names = tuple(name for name in _SIGNS if name in role.metrics)
    often = scene.cast.interval[rows] < 12 * HOUR_MS
    told = [every(scene, rows[often], scene.cast.interval[rows[often]] // 2, "vital")]
    told += _by_hand(scene, rows[~often])
    for who, at in told if names else []:
        seen = scene.sensed(who, at)
        yield Lines(who, at, names, tuple(_SIGNS[name](scene, who, seen) for name in names))


def _by_hand(scene: Scene, rows: I32) -> Iterator[tuple[I32, I64]]:
    key, home, date = scene.cast.key[rows], scene.cast.home[rows], scene.now.date
    wake = np.where(home == NOWHERE, 7.0, scene.home_day.wake[home] if len(home) else 7.0)
    hours = (
        (wake + between(0.2, 0.6, key, "cuff", date), np.ones(len(rows), bool)),
        (between(16.8, 17.5, key, "evening cuff", date), draw(key, "cuffs", date) < 0.5),
    )
    for hour, done in hours:
        at = scene.now.midnight + (hour * HOUR_MS).astype(np.int64)
        chosen = done & scene.now.holds(at)
        yield rows[chosen], at[chosen]


def _asleep_and_moving(scene: Scene, rows: I32, at: I64) -> tuple[Bool, Bool]:
    home = scene.cast.home[rows]
    hour = scene.now.hour(at)
    slot = (at - scene.now.midnight) // SLOT_MS
    at_home = home != NOWHERE
    day = scene.home_day
    if not len(day.homes):
        return hour < 6, hour > 8
    lying = scene.down.match(home, at) >= 0
    asleep = day.asleep(home, hour) | lying
    out = day.empty(home, hour, hour)
    moving = at_home & ~lying & (out | day.active(home, slot))
    return asleep, moving


def _pulse(scene: Scene, rows: I32, at: I64) -> Numbers:
    key = scene.cast.key[rows]
    asleep, moving = _asleep_and_moving(scene, rows, at)
    resting = between(58.0, 74.0, key, "resting pulse")
    effort = between(6.0, 22.0, key, "effort", at) * moving
    return _whole(resting - 8.0 * asleep + effort + 2.5 * normal(key, "pulse", at), 46, 105)


def _spo2(scene: Scene, rows: I32, at: I64) -> Numbers:
    noise = normal(scene.cast.key[rows], "spo2", at)
    lowered = scene.cast.copd[rows]
    well = _whole(97.0 + 0.7 * noise, 95, 100)
    return np.where(lowered, _whole(90.0 + 0.8 * noise, 88, 93), well)


class _Around(NamedTuple):
    """A sign around a person's own mean, with the noise of one measurement, within bounds."""

    mean: float
    by_person: float
    noise: float
    low: float
    high: float
    digits: int = 0

    def of(self, scene: Scene, rows: I32, at: I64, name: str) -> Numbers:
        key = scene.cast.key[rows]
        own = self.mean + self.by_person * normal(key, f"own {name}").clip(-2, 2)
        values = own + self.noise * normal(key, name, at)
        if not self.digits:
            return _whole(values, self.low, self.high)
        return np.round(values.clip(self.low, self.high), self.digits)


def _whole(values: F64, low: float, high: float) -> I64:
    return np.clip(np.rint(values), low, high).astype(np.int64)


_AROUND: Mapping[str, _Around] = MappingProxyType(
    {
        "systolic": _Around(128, 8, 5, 112, 150),
        "diastolic": _Around(78, 5, 3, 62, 92),
        "body_temperature": _Around(36.5, 0.15, 0.12, 36.1, 37.2, 1),
        "skin_temperature": _Around(33.2, 0.4, 0.3, 31.0, 35.5, 1),
        "breathing_rate": _Around(16, 1, 1, 12, 20),
        "body_weight": _Around(64, 8, 0.4, 40, 110, 1),
        "body_water": _Around(50, 3, 0.5, 38, 65, 1),
        "muscle_mass": _Around(42, 5, 0.4, 25, 65, 1),
    }
)

_SIGNS: Mapping[str, Callable[[Scene, I32, I64], Numbers]] = MappingProxyType(
    {"pulse": _pulse, "spo2": _spo2}
    | {name: partial(around.of, name=name) for name, around in _AROUND.items()}
)
