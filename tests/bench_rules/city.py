"""A made-up city and what its devices say, as batches; the same numbers again and again.

Of every hundred devices, which share a building and a gateway, so many are of each kind as below.
Each speaks once in PASS, five minutes. Nearly all are calm: of a thousand spells of SPELL passes
ALARMING are not, of a thousand spells of MUTE_PASSES passes MUTE are spent in silence, and LATE of
a thousand messages were on the way for more than a pass.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.instant import MINUTE, SECOND, Micros
from devices.inventory import Area, Device, Household, Inventory
from devices.kind import BY_NAME as KINDS
from devices.metric import metric
from devices.reading import F64, I64, Batch, concatenate
from devices.simulator.chance import U64, draw

BEGIN: Micros = 1_795_000_000_000_000
"""When the devices begin to speak, µs since the Unix epoch, UTC."""
PASS: Micros = 5 * MINUTE
SPELL, ALARMING = 3, 3
MUTE_PASSES, MUTE = 40, 2
LATE = 1
HUNDRED = 100
HOMES = 25
"""In each hundred devices."""

_NAME = {"zh": "名", "en": "name"}
_STRIDE = 61_803
"""Devices speak in the order of multiples of this: those with neighbouring ids not one by one."""
_PORTION = 50_000


@dataclass(frozen=True, slots=True)
class Said:
    """A number of a message: ordinarily, and when all is not well; NaN: it is not said then.

    before: how long before the message's own time it was so, µs.
    """

    metric: str
    ordinary: float
    alarming: float
    before: Micros = 0


@dataclass(frozen=True, slots=True)
class Share:
    """So many of a hundred devices, and what each says."""

    count: int
    says: tuple[Said, ...]
    at_home: bool = False
    behind: bool = False
    attributes: Mapping[str, float] | None = None


NOT_SAID = float("nan")
BATTERY = Said("battery", 80, 15)
SHARES: Mapping[str, Share] = {
    "wearable": Share(28, (Said("pulse", 72, 134), Said("spo2", 97, 90), BATTERY), at_home=True),
    "motion_sensor": Share(25, (Said("motion", 1, 0), BATTERY), at_home=True, behind=True),
    "parking_bay": Share(12, (Said("occupied", 0, 1), BATTERY), attributes={"fire_lane": 1.0}),
    "door": Share(
        8,
        (
            Said("door_open", 0, 1),
            Said("heartbeat", 1, 1),
            Said("access_granted", 1, NOT_SAID),
            *(Said("access_denied", NOT_SAID, 1, n * SECOND) for n in (2, 1, 0)),
        ),
    ),
    "water_meter": Share(8, (Said("water_volume", 10, 12), BATTERY), at_home=True),
    "sos_button": Share(
        6,
        (Said("heartbeat", 1, 0), BATTERY, Said("sos", NOT_SAID, 1)),
        at_home=True,
        behind=True,
    ),
    "smoke_detector": Share(5, (Said("smoke", 0, 1), BATTERY), at_home=True, behind=True),
    "leak_sensor": Share(2, (Said("water_leak", 0, 1), BATTERY), behind=True),
    "gas_detector": Share(2, (Said("gas", 0, 1), Said("gas_concentration", 5, 900))),
    "card_reader": Share(1, (Said("access_granted", 1, 1),)),
    "car_park": Share(1, (Said("parking_free", 60, 2),), attributes={"capacity": 100.0}),
    "barrier": Share(1, (Said("barrier_open", 0, 1), Said("heartbeat", 1, 1))),
    "gateway": Share(1, (Said("heartbeat", 1, 0),)),
}
KINDS_HERE = [kind for kind, share in SHARES.items() for _ in range(share.count)]
"""The kind of each of a hundred devices; the last is their gateway."""


def inventory(devices: int) -> Inventory:
    """So many devices, a multiple of a hundred, with the ids 1, 2, …"""
    if devices <= 0 or devices % HUNDRED:
        raise ValueError(f"{devices} devices are not a multiple of {HUNDRED}")
    blocks = devices // HUNDRED
    areas = [Area(1, "c", "community", None, _NAME)]
    areas += [Area(n + 2, f"b{n}", "building", 1, _NAME) for n in range(blocks)]
    homes = (
        Household(n + 1, f"h{n}", n // HOMES + 2, _NAME, care=n % 5 < 3, away=n % 20 == 19)
        for n in range(blocks * HOMES)
    )
    return Inventory.of(areas, homes, (_device(n) for n in range(devices)))


def _device(number: int) -> Device:
    block, place = divmod(number, HUNDRED)
    kind = KINDS_HERE[place]
    share, known = SHARES[kind], KINDS[kind]
    return Device(
        id=number + 1,
        code=f"d{number}",
        community="c",
        kind=kind,
        area=block + 2,
        household=block * HOMES + place % HOMES + 1 if share.at_home else None,
        interval=known.interval,
        metrics=known.metrics,
        name=_NAME,
        attributes=share.attributes or {},
        gateway=(block + 1) * HUNDRED if share.behind else None,
    )


class Stream:
    """What so many devices say, from BEGIN on."""

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._turn = 0
        self._left = Batch.empty()
        width = max(len(share.says) for share in SHARES.values())
        said = [SHARES[kind].says for kind in KINDS_HERE]
        self._metric = _table(said, width, lambda one: metric(one.metric).id, 0).astype(np.int16)
        self._ordinary = _table(said, width, lambda one: one.ordinary, NOT_SAID)
        self._alarming = _table(said, width, lambda one: one.alarming, NOT_SAID)
        self._before = _table(said, width, lambda one: one.before, 0).astype(np.int64)

    def take(self, readings: int) -> Batch:
        """The next so many, in the order of their arrival; whole messages, but for the last."""
        parts, have = [self._left], len(self._left)
        while have < readings:
            parts.append(self._next(min(_PORTION, 1_000 + (readings - have) // 2)))
            have += len(parts[-1])
        whole = concatenate(parts)
        self._left = whole.take(np.arange(readings, have))
        return whole.take(np.arange(readings))

    def batches(self, size: int, count: int) -> Iterator[Batch]:
        """The next so many readings in each of so many batches."""
        whole = self.take(size * count)
        for start in range(0, size * count, size):
            yield whole.take(np.arange(start, start + size))

    def _next(self, turns: int) -> Batch:
        turn = np.arange(self._turn, self._turn + turns, dtype=np.int64)
        self._turn += turns
        number = turn % self._devices * _STRIDE % self._devices
        keys, passes = (
            (number + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15),
            (turn // self._devices),
        )
        arrival = BEGIN + turn * PASS // self._devices
        time = arrival - 20_000 - (draw(keys, "way", passes) * 30_000).astype(np.int64)
        time -= np.where(_one_in(keys, "late", passes, LATE), PASS, 0)
        alarming = _one_in(keys, "alarming", passes // SPELL, ALARMING)
        place = number % HUNDRED
        value = np.where(alarming[:, None], self._alarming[place], self._ordinary[place])
        mute = _one_in(keys, "mute", passes // MUTE_PASSES, MUTE)
        row, column = np.nonzero(~(np.isnan(value) | mute[:, None]))
        return Batch(
            time[row] - self._before[place[row], column],
            arrival[row],
            (number[row] + 1).astype(np.int32),
            self._metric[place[row], column],
            value[row, column],
        )


def _table(said: Any, width: int, of: Any, otherwise: float) -> F64:
    rows = [[of(one) for one in says] + [otherwise] * (width - len(says)) for says in said]
    return np.array(rows, np.float64)


def _one_in(keys: U64, purpose: str, count: I64, per_mille: int) -> npt.NDArray[np.bool_]:
    chosen: npt.NDArray[np.bool_] = draw(keys, purpose, count) * 1_000 < per_mille
    return chosen
