"""Doors and lifts: who goes out passes the door of the building with a card of the household.

Registered households go by their day's plan (`home`); others, of whom no home is registered, by the
street's rhythm. A card reader in a building stands for its lift: used before the door by those who
leave, after it by those who come back. That everybody shows a card both ways is our choice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.reading import I32, I64, Bool
from devices.simulator.cast import Role
from devices.simulator.chance import U64, bits, draw
from devices.simulator.detectors import heartbeats
from devices.simulator.rhythm import STREET_BY_HOUR
from devices.simulator.scene import HOUR_MS, MINUTE_MS, Lines, Scene

STEP_MS: Final = 5 * MINUTE_MS
BUSIEST: Final = 0.6
"""Strangers to the register, in each five minutes of the busiest hour at one door: our choice."""

_STREET: Final = np.array(STREET_BY_HOUR)


@dataclass(frozen=True, slots=True, eq=False)
class Ways:
    """One date's goings of registered households, ordered by time: leaving or coming back."""

    home: I64
    at: I64
    leaving: Bool
    card: I64


@dataclass(frozen=True, slots=True, eq=False)
class Entrances:
    """Devices of one kind by area: `rows` of an area stand together, ordered by their codes."""

    rows: I32
    count: I64
    first: I64

    def choose(self, area: I64, key: U64) -> tuple[I64, Bool]:
        """For each key its device in this area, and whether there is one."""
        some = self.count[area] > 0
        turn = bits(key, "entrance") % np.maximum(self.count[area], 1).astype(np.uint64)
        place = np.minimum(self.first[area] + turn.astype(np.int64), max(len(self.rows) - 1, 0))
        chosen = self.rows[place].astype(np.int64) if len(self.rows) else np.full(len(area), -1)
        return chosen, some


def credential(key: U64, person: I64) -> I64:
    """The number of a household's card."""
    return (bits(key, "card", person) % np.uint64(10**8)).astype(np.int64)


def door(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """Card, door open, door shut; now and then a card that is not read at first; heartbeats."""
    yield from heartbeats(scene, role, rows)
    who, at, card = _own(scene, rows, "door", 0)
    yield from _passages(scene, role, who, at, card)
    yield from _passages(scene, role, *_strangers(scene, rows))


def card_reader(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """The lift's: a card, half a minute from the door."""
    who, at, card = _own(scene, rows, "card_reader", 30_000)
    yield from _granted(scene, role, who, at, card)
    yield from _granted(scene, role, *_strangers(scene, rows))


def plan_ways(scene: Scene) -> Ways:
    """Everybody's goings of this date."""
    day, now = scene.home_day, scene.now
    found: list[tuple[I64, I64, Bool, I64]] = []
    for number, out in enumerate(day.outings):
        home = np.flatnonzero(out.end > 0)
        key = day.homes.key[home]
        person = np.where(out.whole[home], 0, (bits(key, "goes", day.date, number) & np.uint64(1)))
        card = credential(key, person.astype(np.int64))
        for hours, goes in ((out.start, True), (out.end, False)):
            near = MINUTE_MS * (1 if goes else -1)
            when = now.midnight + (hours[home] * HOUR_MS).astype(np.int64) + near
            found.append((home, when, np.full(len(home), goes), card))
    homes, at, leaving, cards = (np.concatenate(c) for c in zip(*found, strict=True))
    order = np.argsort(at, kind="stable")
    return Ways(homes[order], at[order], leaving[order], cards[order])


def entrances_of(scene: Scene, kind: str) -> Entrances:
    """The devices of this kind by area."""
    cast = scene.cast
    rows = cast.rows(kind)
    rows = rows[np.lexsort((cast.key[rows], cast.area[rows]))]
    count = np.bincount(cast.area[rows], minlength=len(cast.area_codes))
    return Entrances(rows, count, np.cumsum(count) - count)


def _own(scene: Scene, rows: I32, kind: str, apart: int) -> tuple[I64, I64, I64]:
    """Passages of registered households at these devices within a minute around the slice."""
    ways: Ways = scene.plan("ways", plan_ways)
    entrances: Entrances = scene.plan(f"{kind}s", lambda s: entrances_of(s, kind))
    low = np.searchsorted(ways.at, scene.now.start - 2 * MINUTE_MS)
    high = np.searchsorted(ways.at, scene.now.end + 2 * MINUTE_MS)
    near = slice(low, high)
    home, at, card = ways.home[near], ways.at[near], ways.card[near]
    at = at + np.where(ways.leaving[near], -apart, apart)
    homes = scene.home_day.homes
    who, some = entrances.choose(homes.area[home].astype(np.int64), homes.key[home])
    mine = some & np.isin(who, rows) & (scene.down.match(home, at) < 0)
    return who[mine], at[mine], card[mine]


def _strangers(scene: Scene, rows: I32) -> tuple[I64, I64, I64]:
    """Passages of others, each by their usual door: at most one in five minutes at each."""
    now, cast = scene.now, scene.cast
    key = cast.key[rows]
    found = []
    first = max(0, (now.start - now.midnight) // STEP_MS - 1)
    for step in range(first, -(-(now.end - now.midnight) // STEP_MS)):
        share = BUSIEST * _STREET[min(23, step * STEP_MS // HOUR_MS)]
        comes = draw(key, "comes", now.date, step) < share
        who, own = rows[comes].astype(np.int64), key[comes]
        delay = (bits(own, "when", now.date, step) % np.uint64(270_000)).astype(np.int64)
        at = now.midnight + step * STEP_MS + delay
        person = (bits(own, "who", now.date, step) % np.uint64(50)).astype(np.int64)
        found.append((who, at, credential(own, person)))
    if not found:
        return (np.zeros(0, np.int64),) * 3
    who, at, card = (np.concatenate(c) for c in zip(*found, strict=True))
    return who, at, card


def _passages(scene: Scene, role: Role, who: I64, at: I64, card: I64) -> Iterator[Lines]:
    now, key = scene.now, scene.cast.key[who]
    unread = draw(key, "unread", at) < 0.02
    if "access_denied" in role.metrics:
        refused = unread & now.holds(at - 3_000)
        attributes = [
            b'{"credential":"card-%08d","reason":"unreadable"}' % n for n in card[refused].tolist()
        ]
        yield _one(who[refused], at[refused] - 3_000, "access_denied", 1, attributes)
    yield from _granted(scene, role, who, at, card)
    if "door_open" in role.metrics:
        shut = at + 4_000 + (bits(key, "swings", at) % np.uint64(9_000)).astype(np.int64)
        for moment, value in ((at + 1_000, 1), (shut, 0)):
            said = now.holds(moment)
            yield _one(who[said], moment[said], "door_open", value, None)


def _granted(scene: Scene, role: Role, who: I64, at: I64, card: I64) -> Iterator[Lines]:
    if "access_granted" in role.metrics:
        said = scene.now.holds(at)
        attributes = [b'{"credential":"card-%08d"}' % n for n in card[said].tolist()]
        yield _one(who[said], at[said], "access_granted", 1, attributes)


def _one(rows: I64, at: I64, name: str, value: int, attributes: list[bytes] | None) -> Lines:
    return Lines(rows.astype(np.int32), at, (name,), (np.full(len(rows), value),), attributes)
