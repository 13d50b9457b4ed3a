"""A made-up city and what its devices say, as batches; the same numbers again and again.

Of every hundred devices, which share a building and a gateway, so many are of each kind as below;
a hundred buildings are a community. Each speaks once in PASS, five minutes, monitors of vital signs
every eight hours. Nearly all are calm: `Chances` says of how many that is not so. What water meters
have counted is in `tests.bench_rules.water`; whoever goes through a door shows a card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from devices.instant import MINUTE, SECOND, Micros
from devices.inventory import Area, Device, Household, Inventory
from devices.kind import BY_NAME as KINDS
from devices.metric import metric
from devices.reading import F64, I64, Batch, concatenate
from devices.simulator.chance import U64, draw
from tests.bench_rules.water import counted

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN: Micros = 1_795_017_600_000_000
"""When the devices begin to speak, a midnight in ZONE: 2026-11-19, µs since the Unix epoch, UTC."""
PASS: Micros = 5 * MINUTE
SPELL = 3
MUTE_PASSES = 40
HUNDRED = 100
BLOCKS = 100
"""Buildings of a community."""
HOMES = 25
"""In each hundred devices."""

FIRST_BUILDING = 1_000_001
"""The id of an area."""

_NAME = {"zh": "名", "en": "name"}
_STRIDE = 61_803
"""Devices speak in the order of multiples of this: those with neighbouring ids not one by one."""
_PORTION = 50_000


@dataclass(frozen=True, slots=True)
class Chances:
    """How many of a thousand: of devices' spells of SPELL passes that are alarming; of spells of
    MUTE_PASSES passes that are spent in silence; of messages that were on the way for more than a
    pass; of buildings' spells in which there is smoke everywhere; of events at doors with a card
    that was just read at the next door; and with a card that has been replaced.
    """

    alarming: float = 3
    mute: float = 2
    late: float = 1
    smoke: float = 0.2
    lent: float = 1
    replaced: float = 1


USUAL = Chances()


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
    """So many of a hundred devices, and what each says. every: in one pass of so many."""

    count: int
    says: tuple[Said, ...]
    every: int = 1
    at_home: bool = False
    behind: bool = False
    attributes: Mapping[str, float] | None = None


NOT_SAID = float("nan")
EVERY_EIGHT_HOURS = 96
BATTERY = Said("battery", 80, 15)
SHARES: Mapping[str, Share] = {
    "wearable": Share(25, (Said("pulse", 72, 134), Said("spo2", 97, 90), BATTERY), at_home=True),
    "vital_signs": Share(
        3,
        (
            Said("systolic", 128, 86),
            Said("body_temperature", 36.6, 39.4),
            Said("breathing_rate", 16, 26),
            Said("pulse", 74, 118),
            Said("spo2", 96, 92),
        ),
        every=EVERY_EIGHT_HOURS,
        at_home=True,
    ),
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
    "water_meter": Share(8, (Said("water_volume", 0, 0), BATTERY), at_home=True),
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
    communities = -(-blocks // BLOCKS)
    areas = [Area(n + 1, f"c{n}", "community", None, _NAME) for n in range(communities)]
    areas += [
        Area(FIRST_BUILDING + n, f"b{n}", "building", n // BLOCKS + 1, _NAME) for n in range(blocks)
    ]
    homes = (
        Household(
            n + 1,
            f"h{n}",
            FIRST_BUILDING + n // HOMES,
            _NAME,
            care=n % 5 < 3,
            away=n % 20 == 19,
        )
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
        community=f"c{block // BLOCKS}",
        kind=kind,
        area=FIRST_BUILDING + block,
        household=block * HOMES + place % HOMES + 1 if share.at_home else None,
        interval=known.interval,
        metrics=known.metrics,
        name=_NAME,
        attributes=share.attributes or {},
        gateway=(block + 1) * HUNDRED if share.behind else None,
    )


Mask: TypeAlias = npt.NDArray[np.bool_]
WATER, GRANTED = metric("water_volume").id, metric("access_granted").id
CARDS = 25
"""So many people go through each door."""
SECOND_CARDS = 0.02
_OF_SMOKE = np.array([kind == "smoke_detector" for kind in KINDS_HERE])


class Stream:
    """What so many devices say, from BEGIN on."""

    def __init__(self, devices: int, chances: Chances = USUAL) -> None:
        self._devices, self._chances = devices, chances
        self._turn = 0
        self._left = Batch.empty()
        width = max(len(share.says) for share in SHARES.values())
        said = [SHARES[kind].says for kind in KINDS_HERE]
        self._metric = _table(said, width, lambda one: metric(one.metric).id, 0).astype(np.int16)
        self._ordinary = _table(said, width, lambda one: one.ordinary, NOT_SAID)
        self._alarming = _table(said, width, lambda one: one.alarming, NOT_SAID)
        self._before = _table(said, width, lambda one: one.before, 0).astype(np.int64)
        self._every = np.array([SHARES[kind].every for kind in KINDS_HERE])

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
        keys, passes = _keys(number), turn // self._devices
        arrival = BEGIN + turn * PASS // self._devices
        time = arrival - 20_000 - (draw(keys, "way", passes) * 30_000).astype(np.int64)
        time -= np.where(self._one_in("late", keys, passes), PASS, 0)
        place = number % HUNDRED
        value = np.where(
            self._alarming_now(number, passes)[:, None],
            self._alarming[place],
            self._ordinary[place],
        )
        quiet = self._one_in("mute", keys, passes // MUTE_PASSES)
        quiet |= (number + passes) % self._every[place] != 0
        row, column = np.nonzero(~(np.isnan(value) | quiet[:, None]))
        metrics, numbers = self._metric[place[row], column], value[row, column]
        of_water = np.flatnonzero(metrics == WATER)
        drawn = row[of_water]
        numbers[of_water] = counted(number[drawn], passes[drawn])
        token, issue = self._cards(number[row], passes[row])
        shown = metrics == GRANTED
        return Batch(
            time[row] - self._before[place[row], column],
            arrival[row],
            (number[row] + 1).astype(np.int32),
            metrics,
            numbers,
            np.where(shown, token, 0),
            np.where(shown, issue, 0).astype(np.int32),
        )

    def _alarming_now(self, number: I64, passes: I64) -> Mask:
        """Who is not calm."""
        spell = passes // SPELL
        alarming = self._one_in("alarming", _keys(number), spell)
        smoke = self._one_in("smoke", _keys(number // HUNDRED), spell)
        not_calm: Mask = alarming | (smoke & _OF_SMOKE[number % HUNDRED])
        return not_calm

    def _cards(self, number: I64, passes: I64) -> tuple[I64, I64]:
        """Whose card is shown there, and which of that person's it is: 1, or 2 where replaced."""
        keys = _keys(number)
        near = number - self._one_in("lent", keys, passes)
        token = near * CARDS + (draw(_keys(near), "card", passes // 2) * CARDS).astype(np.int64) + 1
        second = draw(_keys(token), "second") < SECOND_CARDS
        old = self._one_in("replaced", keys, passes)
        return token, np.where(second & ~old, 2, 1)

    def _one_in(self, what: str, keys: U64, count: I64) -> Mask:
        chosen: Mask = draw(keys, what, count) * 1_000 < getattr(self._chances, what)
        return chosen


def _keys(number: I64) -> U64:
    return (number + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def _table(said: Any, width: int, of: Any, otherwise: float) -> F64:
    rows = [[of(one) for one in says] + [otherwise] * (width - len(says)) for says in said]
    return np.array(rows, np.float64)
