"""Car parks: every car has its place and its day; barriers, counters and bays all tell of it.

Six places of ten are a resident's, whose car is there at midnight; two are for visitors, two stay
empty. A car passes the barrier a minute or so from its place. What the barriers of a park let in,
less what they let out, is what its counter shows, and its bays a minute or so apart.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from devices.reading import I32, I64, Bool
from devices.simulator.cast import Cast, Role
from devices.simulator.chance import U64, between, bits, draw
from devices.simulator.detectors import heartbeats, repeat
from devices.simulator.rhythm import STREET_BY_HOUR
from devices.simulator.scene import DAY_MS, HOUR_MS, Lines, Scene, every

UNCOUNTED: Final = 40
"""How many places a park has of which no device tells how many."""

_STREET: Final = np.array(STREET_BY_HOUR)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Places of all parks: with a bay sensor, or only counted; capacity and barriers by area."""

    area: I32
    key: U64
    number: I64
    capacity: I64
    barriers: I64
    first_barrier: I64
    barrier_rows: I32


@dataclass(frozen=True, slots=True, eq=False)
class Moves:
    """One date's cars at barriers, ordered by area and time; change: 1 in, -1 out."""

    area: I64
    at: I64
    change: I64
    place: U64
    keys: I64
    total: I64
    at_midnight: I64


def places_of(cast: Cast) -> Places:
    """The places of every area that has a barrier or a counter."""
    areas = len(cast.area_codes)
    barriers, parks = cast.rows("barrier"), cast.rows("car_park")
    bays = cast.rows("parking_bay")
    bays = bays[~cast.keeps_clear[bays]]
    capacity = np.zeros(areas, np.int64)
    capacity[cast.area[barriers]] = UNCOUNTED
    told = np.nan_to_num(cast.capacity[parks], nan=100.0).astype(np.int64)
    capacity[cast.area[parks]] = 0
    np.maximum.at(capacity, cast.area[parks], told)
    watched = bays[capacity[cast.area[bays]] > 0]
    missing = np.maximum(0, capacity - np.bincount(cast.area[watched], minlength=areas))
    area = np.repeat(np.arange(areas), missing)
    number = np.arange(len(area)) - np.repeat(np.cumsum(missing) - missing, missing)
    key = bits(cast.area_key[area], "place", number)
    by_area = barriers[np.argsort(cast.area[barriers], kind="stable")]
    count = np.bincount(cast.area[by_area], minlength=areas)
    return Places(
        np.concatenate([cast.area[watched], area]).astype(np.int32),
        np.concatenate([cast.key[watched], key]),
        np.concatenate([cast.number[watched].astype(np.int64), number]),
        capacity,
        count,
        np.cumsum(count) - count,
        by_area,
    )


def away(key: U64, number: I64, date: int, midnight: int) -> tuple[I64, I64, Bool]:
    """From when to when each place changes its state on this date, ms, and where it is a
    resident's: those are empty between the two, a visitor's is taken. -1 where nothing happens.
    """
    kind = number % 10
    resident, visitor = kind < 6, (kind == 6) | (kind == 7)
    leaves = between(6.2, 10.5, key, "leaves", date)
    returns = np.maximum(between(14.0, 20.8, key, "returns", date), leaves + 0.5)
    comes = between(8.0, 19.5, key, "comes", date)
    stays = between(0.4, 2.8, key, "stays", date)
    drives = draw(key, "drives", date) < np.where(resident, 0.75, 0.7)
    used = drives & (resident | visitor)
    since = np.where(resident, leaves, comes) * HOUR_MS
    until = np.where(resident, returns, comes + stays) * HOUR_MS
    first = np.where(used, midnight + since.astype(np.int64), -1)
    return first, np.where(used, midnight + until.astype(np.int64), -1), resident


def taken(key: U64, number: I64, date: int, midnight: int, at: I64) -> Bool:
    """Whether a car stands in each place at its instant."""
    first, second, resident = away(key, number, date, midnight)
    between_them: Bool = (first >= 0) & (at >= first) & (at < second)
    return between_them ^ resident


def bay(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """A bay fills and empties by its car's day; one to be kept clear sees brief stops."""
    if "occupied" not in role.metrics:
        return
    clear = scene.cast.keeps_clear[rows]
    yield from _brief_stops(scene, rows[clear])
    rows = rows[~clear]
    now, cast = scene.now, scene.cast
    number = cast.number.astype(np.int64)
    first, second, resident = away(cast.key[rows], number[rows], now.date, now.midnight)
    for at, value in ((first, ~resident), (second, resident)):
        said = now.holds(at)
        yield _occupied(rows[said], at[said], value[said].astype(np.int64))
    who, at = every(scene, rows, repeat(scene, rows), "bay")
    state = taken(cast.key[who], number[who], now.date, now.midnight, at)
    yield _occupied(who, at, state.astype(np.int64))


def car_park(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """Free places every half interval: the capacity less the cars that the barriers let in."""
    if "parking_free" not in role.metrics:
        return
    who, at = every(scene, rows, scene.cast.interval[rows] // 2, "counter")
    seen = scene.sensed(who, at)
    area = scene.cast.area[who]
    capacity = scene.plan("places", lambda s: places_of(s.cast)).capacity[area]
    free = np.clip(capacity - inside(scene, area, seen), 0, capacity)
    yield Lines(who, at, ("parking_free",), (free,))


def inside(scene: Scene, area: I32, at: I64) -> I64:
    """How many cars the barriers of each area have let in and not out by then."""
    moves: Moves = scene.plan("moves", plan_moves)
    wanted = area.astype(np.int64) * 2 * DAY_MS + (at - scene.now.midnight)
    upto = np.searchsorted(moves.keys, wanted, "right")
    before = np.searchsorted(moves.keys, area.astype(np.int64) * 2 * DAY_MS, "left")
    cars: I64 = moves.at_midnight[area] + moves.total[upto] - moves.total[before]
    return cars


def barrier(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """A boom opens for each car for some seconds; heartbeats between."""
    yield from heartbeats(scene, role, rows)
    moves: Moves = scene.plan("moves", plan_moves)
    places: Places = scene.plan("places", lambda s: places_of(s.cast))
    near = scene.now.holds(moves.at) | scene.now.holds(moves.at + 15_000)
    area, at = moves.area[near], moves.at[near]
    place, change = moves.place[near], moves.change[near]
    some = places.barriers[area] > 0
    area, at, place, change = area[some], at[some], place[some], change[some]
    choice = bits(place, "barrier", scene.now.date) % places.barriers[area].astype(np.uint64)
    who = places.barrier_rows[places.first_barrier[area] + choice.astype(np.int64)]
    mine = np.isin(who, rows)
    who, at, place, change = who[mine], at[mine], place[mine], change[mine]
    for name, way in (("vehicle_entry", 1), ("vehicle_exit", -1)):
        passing = (change == way) & scene.now.holds(at)
        if name in role.metrics:
            yield _passage(who[passing], at[passing], place[passing], name, role)
    if "barrier_open" in role.metrics:
        shut = at + 6_000 + (bits(place, "boom", at) % np.uint64(8_000)).astype(np.int64)
        said = scene.now.holds(shut)
        yield Lines(who[said], shut[said], ("barrier_open",), (np.zeros(said.sum(), np.int64),))


def plan_moves(scene: Scene) -> Moves:
    """All passages of barriers on this date."""
    now = scene.now
    places: Places = scene.plan("places", lambda s: places_of(s.cast))
    key, area = places.key, places.area.astype(np.int64)
    first, second, resident = away(key, places.number, now.date, now.midnight)
    used = first >= 0
    drive = 40_000 + (bits(key, "drive", now.date) % np.uint64(60_000)).astype(np.int64)
    ways = np.where(resident, -1, 1)
    at = np.concatenate([(first - ways * drive)[used], (second + ways * drive)[used]])
    change = np.concatenate([ways[used], -ways[used]])
    area_of, place = np.tile(area[used], 2), np.tile(key[used], 2)
    keys = area_of * 2 * DAY_MS + (at - now.midnight)
    order = np.argsort(keys, kind="stable")
    at_midnight = np.bincount(area[resident], minlength=len(places.capacity))
    total = np.concatenate([[0], np.cumsum(change[order])])
    return Moves(
        area_of[order], at[order], change[order], place[order], keys[order], total, at_midnight
    )


def _passage(rows: I32, at: I64, place: U64, name: str, role: Role) -> Lines:
    names = (name, "barrier_open") if "barrier_open" in role.metrics else (name,)
    ones = np.ones(len(rows), np.int64)
    plates = (bits(place, "plate") % np.uint64(100_000)).tolist()
    attributes = [b'{"plate":"E%05d"}' % plate for plate in plates]
    return Lines(rows, at, names, (ones,) * len(names), attributes)


def _brief_stops(scene: Scene, rows: I32) -> Iterator[Lines]:
    """Now and then somebody stops for half a minute, by the street's rhythm."""
    now, key = scene.now, scene.cast.key[rows]
    hours = range(max(0, scene.now.slots().start // 6), min(24, now.slots().stop // 6 + 1))
    for hour in hours:
        stops = draw(key, "stops", now.date, hour) < 0.4 * _STREET[hour]
        late = (bits(key, "stop", now.date, hour) % np.uint64(3_500_000)).astype(np.int64)
        at = late + (now.midnight + hour * HOUR_MS)
        over = (
            at + 12_000 + (bits(key, "stay", now.date, hour) % np.uint64(25_000)).astype(np.int64)
        )
        for moment, value in ((at, 1), (over, 0)):
            said = stops & now.holds(moment)
            yield _occupied(rows[said], moment[said], np.full(int(said.sum()), value))
    who, beat = every(scene, rows, repeat(scene, rows), "lane")
    yield _occupied(who, beat, np.zeros(len(who), np.int64))


def _occupied(rows: I32, at: I64, values: I64) -> Lines:
    return Lines(rows, at, ("occupied",), (values,))
