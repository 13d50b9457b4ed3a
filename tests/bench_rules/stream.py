"""What the devices of the made-up city say, as batches; the same numbers again and again.

What water meters have counted is in `tests.bench_rules.water`; whoever goes through a door shows a
card, of one of the people who live behind it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.metric import metric
from devices.reading import F64, I64, Batch, concatenate
from devices.simulator.chance import U64, draw
from tests.bench_rules.city import BEGIN, HOMES, HUNDRED, KINDS_HERE, NOT_SAID, PASS, SHARES
from tests.bench_rules.water import A_DAY, counted

SPELL, MUTE_SPELL, DEAD_SPELL = 3, 40, 4 * A_DAY
"""Passes."""


@dataclass(frozen=True, slots=True)
class Chances:
    """Of how many of a thousand all is not well.

    alarming: spells of SPELL passes of a device · ill, still: days of a home in which its wearable
    and its monitor are alarming, or nobody moves · smoke: spells of a building with smoke
    everywhere · mute, dead: spells of MUTE_SPELL or DEAD_SPELL passes in which a device is not
    heard · late: messages that were on the way for more than a pass · lent, replaced: events at
    doors with a card just read at another one, or of which there is a newer one · leaking, empty:
    homes as in `tests.bench_rules.water`.
    """

    alarming: float = 3
    ill: float = 1
    still: float = 1
    smoke: float = 0.2
    mute: float = 2
    dead: float = 0.5
    late: float = 1
    lent: float = 1
    replaced: float = 1
    leaking: float = 4
    empty: float = 6


USUAL = Chances()
MANY = Chances(30, 150, 60, 20, 20, 120, 10, 30, 30, 300, 300)
"""For tests: something is wrong somewhere at any time."""

Mask: TypeAlias = npt.NDArray[np.bool_]

CARDS = 25
"""So many people go through each door."""
SECOND_CARDS = 0.02
"""This share of them have lost a card and have a new one."""
RAISED = 0.4
"""In this share of its alarming spells a device is not well in the other way."""

_WATER, _GRANTED, _MOTION = (metric(n).id for n in ("water_volume", "access_granted", "motion"))
_STRIDE = 61_813
"""Devices speak in the order of multiples of this: those with neighbouring ids not one by one. A
prime, so that each has its turn in every pass."""
_NEAR = 12
"""So many turns before, a card may have been read that is lent."""
_PORTION = 50_000

_OF_SMOKE = np.array([kind == "smoke_detector" for kind in KINDS_HERE])
_OF_BODIES = np.array([kind in {"wearable", "vital_signs"} for kind in KINDS_HERE])
_WORN = np.array([kind == "wearable" for kind in KINDS_HERE])
_DOORS = np.array([kind == "door" for kind in KINDS_HERE])
_EVERY = np.array([SHARES[kind].every for kind in KINDS_HERE])


class Stream:
    """What so many devices say, from BEGIN on."""

    def __init__(self, devices: int, chances: Chances = USUAL) -> None:
        self._devices, self._chances = devices, chances
        self._turn = 0
        self._left = Batch.empty()
        width = max(len(share.says) for share in SHARES.values())
        said = [SHARES[kind].says for kind in KINDS_HERE]
        self._metric = _table(said, width, lambda one: metric(one.metric).id, 0).astype(np.int16)
        self._values = np.stack(
            [
                _table(said, width, lambda one: one.ordinary, NOT_SAID),
                _table(said, width, lambda one: one.alarming, NOT_SAID),
                _table(said, width, _raised, NOT_SAID),
            ]
        )
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
        number, passes = self._who(turn)
        keys, place = _keys(number), number % HUNDRED
        arrival = BEGIN + turn * PASS // self._devices
        time = arrival - 20_000 - (draw(keys, "way", passes) * 30_000).astype(np.int64)
        late = self._one_in("late", keys, passes).astype(np.int64)
        time -= late * PASS
        value = self._values[self._mood(number, passes), place]
        row, column = np.nonzero(~(np.isnan(value) | self._quiet(number, passes)[:, None]))
        said = self._metric[place[row], column]
        of_then = (passes - late)[row]
        numbers = self._numbers(said, value[row, column], number[row], of_then)
        shown = np.flatnonzero(said == _GRANTED)
        token, issue = np.zeros(len(row), np.int64), np.zeros(len(row), np.int32)
        token[shown], issue[shown] = self._cards(turn[row[shown]])
        return Batch(
            time[row] - self._before[place[row], column],
            arrival[row],
            (number[row] + 1).astype(np.int32),
            said,
            numbers,
            token,
            issue,
        )

    def _who(self, turn: I64) -> tuple[I64, I64]:
        """Whose turn it is, and in which pass."""
        return turn % self._devices * _STRIDE % self._devices, turn // self._devices

    def _quiet(self, number: I64, passes: I64) -> Mask:
        """Who is not heard."""
        keys = _keys(number)
        quiet: Mask = (number + passes) % _EVERY[number % HUNDRED] != 0
        quiet |= self._one_in("mute", keys, passes // MUTE_SPELL)
        return quiet | self._one_in("dead", keys, passes // DEAD_SPELL)

    def _mood(self, number: I64, passes: I64) -> I64:
        """How each is: 0 well, 1 alarming, 2 raised."""
        keys, spell, place = _keys(number), passes // SPELL, number % HUNDRED
        alarming = self._one_in("alarming", keys, spell)
        smoke = self._one_in("smoke", _keys(number // HUNDRED), spell)
        ill = self._one_in("ill", _keys(_home(number)), passes // A_DAY)
        alarming |= (smoke & _OF_SMOKE[place]) | (ill & _OF_BODIES[place])
        raised = (draw(keys, "raised", spell) < RAISED) & ~_OF_SMOKE[place]
        raised &= ~(ill & _WORN[place])
        mood: I64 = alarming * (1 + raised)
        return mood

    def _numbers(self, said: npt.NDArray[np.int16], values: F64, number: I64, passes: I64) -> F64:
        """What is said, where that is not the same all day."""
        chances, water = self._chances, np.flatnonzero(said == _WATER)
        values[water] = counted(number[water], passes[water], (chances.leaking, chances.empty))
        moves = np.flatnonzero(said == _MOTION)
        still = self._one_in("still", _keys(_home(number[moves])), passes[moves] // A_DAY)
        values[moves[still]] = 0.0
        return values

    def _cards(self, turn: I64) -> tuple[I64, I64]:
        """Whose card is shown there, and which of that person's it is: 1, or 2 where replaced."""
        number, passes = self._who(turn)
        keys = _keys(number)
        for row in np.flatnonzero(self._one_in("lent", keys, passes)).tolist():
            before = np.arange(turn[row] - 1, max(turn[row] - _NEAR, -1), -1)
            doors = np.flatnonzero(_DOORS[self._who(before)[0] % HUNDRED])
            if len(doors):
                (number[row],), (passes[row],) = self._who(before[doors[:1]])
        person = (draw(_keys(number), "card", passes // 2) * CARDS).astype(np.int64)
        token = number * CARDS + person + 1
        second = draw(_keys(token), "second") < SECOND_CARDS
        old = self._one_in("replaced", keys, turn)
        return token, np.where(second & ~old, 2, 1)

    def _one_in(self, what: str, keys: U64, count: I64) -> Mask:
        chosen: Mask = draw(keys, what, count) * 1_000 < getattr(self._chances, what)
        return chosen


def _home(number: I64) -> I64:
    return number // HUNDRED * HOMES + number % HUNDRED % HOMES


def _keys(number: I64) -> U64:
    return (number + 1).astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def _raised(one: Any) -> float:
    raised: float | None = one.raised
    return one.ordinary if raised is None else raised


def _table(said: Any, width: int, of: Any, otherwise: float) -> F64:
    rows = [[of(one) for one in says] + [otherwise] * (width - len(says)) for says in said]
    return np.array(rows, np.float64)
