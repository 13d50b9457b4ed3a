"""A household's day: who is up, asleep, out or visited, and how busy the home is.

One plan per home and local date, from the home's chance alone; every device of the home speaks
from it. Times are local hours of the date, float64 by home. Where no source is named, a figure is
our choice; docs/simulator.md lists them.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from devices.reading import F64, I32, I64, Bool
from devices.simulator.cast import Homes
from devices.simulator.chance import U64, between, draw, normal

SLOT_MS: Final = 600_000
"""Life is told in slots of ten minutes: what happens in one ends in it."""

SLOTS: Final = 144
SLOT_H: Final = 1 / 6


class Outing(NamedTuple):
    """Out from `start` to `end`, both 0 where nobody goes; `whole`: nobody stays at home."""

    start: F64
    end: F64
    whole: Bool


@dataclass(frozen=True, slots=True, eq=False)
class HomeDay:
    """The plan of all homes for one date; toilets: slots of the night, -1 for none."""

    date: int
    homes: Homes
    wake: F64
    bed: F64
    nap: tuple[F64, F64]
    meals: tuple[F64, ...]
    outings: tuple[Outing, ...]
    visit: tuple[F64, F64]
    toilets: tuple[I64, ...]

    def asleep(self, home: I32, hour: F64) -> Bool:
        """Who is in bed then: at night, or for a nap."""
        night = (hour < self.wake[home]) | (hour > self.bed[home])
        napping: Bool = night | ((hour >= self.nap[0][home]) & (hour < self.nap[1][home]))
        return napping

    def empty(self, home: I32, since: F64, until: F64) -> Bool:
        """Homes in which nobody is for some of the time between these hours."""
        gone = self.homes.away[home].copy()
        for out in self.outings:
            gone |= out.whole[home] & (since < out.end[home]) & (until > out.start[home])
        return gone

    def activity(self, home: I32, slot: I64) -> F64:
        """How likely somebody moves about in this slot, 0 to 1.

        1 where somebody gets up, at night too, and before bed.
        """
        since: F64 = slot * np.float64(SLOT_H)
        until: F64 = since + np.float64(SLOT_H)
        likely = np.where(self.homes.care[home], 0.5, 0.35)
        for meal in self.meals:
            likely[np.abs(since - meal[home]) < 0.4] = 0.9
        visited = (since >= self.visit[0][home]) & (until <= self.visit[1][home])
        likely[visited] = 0.85
        sleeping = self.asleep(home, since) | self.asleep(home, until)
        likely[sleeping] = 0.0
        for toilet in self.toilets:
            likely[toilet[home] == slot] = 1.0
        likely[(slot == self.up[home]) | (slot == self.last[home])] = 1.0
        likely[self.empty(home, since, until)] = 0.0
        return likely

    @property
    def up(self) -> I64:
        """The slot in which somebody gets up."""
        return np.ceil(self.wake / SLOT_H).astype(np.int64)

    @property
    def last(self) -> I64:
        """The last slot before bed: somebody washes."""
        return np.floor(self.bed / SLOT_H).astype(np.int64) - 1

    def active(self, home: I32, slot: I64) -> Bool:
        """Where somebody does move about in this slot: the same for all devices of the home."""
        chance: F64 = draw(self.homes.key[home], "active", self.date, slot)
        return chance < self.activity(home, slot)


def home_day(homes: Homes, date: int) -> HomeDay:
    """The plan for this local date, counted in days since 1970-01-01."""
    key, care = homes.key, homes.care
    wake = between(5.2, 7.2, key, "wakes") + 0.25 * normal(key, "wake", date).clip(-2, 2)
    bed = between(20.8, 22.8, key, "beds") + 0.3 * normal(key, "bed", date).clip(-2, 2)
    nap_from = between(12.6, 13.2, key, "nap", date)
    naps = care & (draw(key, "naps", date) < 0.6)
    nap_to = np.where(naps, nap_from + between(0.5, 1.3, key, "napping", date), nap_from)
    visit_from = between(18.7, 19.3, key, "visit", date)
    visited = draw(key, "visited", date) < 0.2
    visit_to = np.where(visited, visit_from + between(0.7, 1.4, key, "stay", date), visit_from)
    return HomeDay(
        date,
        homes,
        wake,
        bed,
        (nap_from, nap_to),
        (wake + between(0.4, 0.9, key, "breakfast", date), *_later_meals(key, date)),
        (_morning(homes, date, wake), _afternoon(homes, date)),
        (visit_from, visit_to),
        _toilets(key, date, wake, bed),
    )


def _later_meals(key: U64, date: int) -> tuple[F64, F64]:
    lunch = 11.7 + 0.2 * normal(key, "lunch", date).clip(-2, 2)
    return lunch, 17.9 + 0.25 * normal(key, "supper", date).clip(-2, 2)


def _morning(homes: Homes, date: int, wake: F64) -> Outing:
    """To the market or the park; those without care go to work on five days of seven."""
    key, care = homes.key, homes.care
    goes = draw(key, "morning", date)
    start = np.minimum(wake + between(1.2, 3.2, key, "leaves", date), 10.2)
    end = start + between(0.5, 1.7, key, "market", date)
    works = ~care & (goes < 0.85) & ((date + 3) % 7 < 5)
    start = np.where(works, wake + between(1.0, 1.8, key, "leaves", date), start)
    end = np.where(works, between(16.5, 18.5, key, "works", date), end)
    return _outing(homes, date, "morning", (goes < 0.5, works), (start, end))


def _afternoon(homes: Homes, date: int) -> Outing:
    """A walk before supper; those who work go for one after it."""
    key, care = homes.key, homes.care
    start = np.where(care, 14.6, 19.0) + between(0.0, 1.0, key, "walks", date)
    end = start + 0.4 + np.where(care, 1.2, 0.2) * draw(key, "walk", date)
    goes = draw(key, "afternoon", date) < 0.45
    nobody = np.zeros(len(homes), bool)
    return _outing(homes, date, "afternoon", (goes, nobody), (start, end))


def _outing(
    homes: Homes, date: int, name: str, goes: tuple[Bool, Bool], hours: tuple[F64, F64]
) -> Outing:
    """goes: who goes, and who goes to work."""
    (start, end), works = hours, goes[1]
    goes_out = (goes[0] | works) & ~homes.away
    alone = homes.residents == 1
    whole = goes_out & (alone | works | (draw(homes.key, f"{name} whole", date) < 0.5))
    return Outing(np.where(goes_out, start, 0.0), np.where(goes_out, end, 0.0), whole)


def _toilets(key: U64, date: int, wake: F64, bed: F64) -> tuple[I64, ...]:
    """Most people over 70 get up at night once or more (Bosch and Weiss, J Urol 2010)."""
    slots = []
    for n, likely in enumerate((0.65, 0.35)):
        hour = between(0.5, 1.0, key, f"toilet {n}", date) * (wake - 0.6)
        goes = draw(key, f"goes {n}", date) < likely
        slots.append(np.where(goes, (hour / SLOT_H).astype(np.int64), -1))
    late = bed + between(0.5, 1.2, key, "late toilet", date)
    goes = (draw(key, "goes late", date) < 0.3) & (late < 23.7)
    slots.append(np.where(goes, (late / SLOT_H).astype(np.int64), -1))
    return tuple(slots)
