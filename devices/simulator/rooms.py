"""Movement in the rooms of a home, and the water that its meter has counted.

Water: 80 to 135 litres a person and day, the standard of GB/T 50331 for the north-east of China.
Some of it goes where it goes every day, by our choice: who gets up and who goes to bed washes and
flushes, who gets up at night flushes. The rest is drawn where people move about, mostly at meals.
The meter is a closed form of the time, so that it
only grows, from one run to the next as well.
"""

from collections.abc import Iterator

import numpy as np

from devices.reading import F64, I32, I64
from devices.simulator.cast import NOWHERE, Role
from devices.simulator.chance import between, bits, draw
from devices.simulator.detectors import repeat
from devices.simulator.home import SLOT_MS, SLOTS, HomeDay
from devices.simulator.scene import Lines, Scene, every

WASH = 0.012
"""m³ a person: a flush and a basin, on getting up and before bed."""

FLUSH = 0.006
"""m³: of a toilet."""


def motion(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """Seen moving for half a minute to two and a half; and what it sees, again and again."""
    rows = rows[scene.cast.home[rows] != NOWHERE]
    if "motion" not in role.metrics or not len(rows):
        return
    for slot in scene.now.slots():
        start, end = _moved(scene, rows, np.full(len(rows), slot))
        for at, value in ((start, 1), (end, 0)):
            said = (start >= 0) & scene.now.holds(at)
            yield _state(rows[said], at[said], np.full(int(said.sum()), value))
    who, at = every(scene, rows, repeat(scene, rows), "motion")
    start, end = _moved(scene, who, (at - scene.now.midnight) // SLOT_MS)
    yield _state(who, at, ((start >= 0) & (start <= at) & (at < end)).astype(np.int64))


def water(scene: Scene, role: Role, rows: I32) -> Iterator[Lines]:
    """The meter, every half interval."""
    rows = rows[scene.cast.home[rows] != NOWHERE]
    if "water_volume" not in role.metrics or not len(rows):
        return
    who, at = every(scene, rows, scene.cast.interval[rows] // 2, "meter")
    home = scene.cast.home[who]
    seen = scene.sensed(who, at)
    slots = (seen - scene.now.midnight) / SLOT_MS
    volume = metered(scene.home_day, home, slots)
    yield Lines(who, at, ("water_volume",), (_while_down(scene, home, seen, volume),))


def metered(day: HomeDay, home: I32, slots: F64) -> F64:
    """What has been drawn in a home up to then, in m³, had nothing happened to anybody there.

    slots: since the midnight of this day.
    """
    key = day.homes.key[home]
    quota = between(0.080, 0.135, key, "quota") * day.homes.residents[home]
    before = _until_midnight(key, day.date)
    today = _until_midnight(key, day.date + 1) - before
    drawn: F64 = quota * before + _today(day, home, slots, quota * today)
    return np.where(day.homes.away[home], 100.0 * quota, drawn)


def _while_down(scene: Scene, home: I32, at: I64, volume: F64) -> F64:
    """Nothing is drawn while the resident lies helpless, and it is not made up for later."""
    down, (begun, ended) = scene.down, scene.meters
    last = down.last(home, at)
    some = np.flatnonzero(last >= 0)
    if len(some):
        saved = np.cumsum(ended - begun)
        first = np.searchsorted(down.rows, down.rows, "left")
        earlier = saved - (ended - begun)
        earlier -= earlier[first]
        window = last[some]
        inside = at[some] <= down.until[window]
        over = volume[some] - (ended - begun)[window]
        volume[some] = np.where(inside, begun[window], over) - earlier[window]
    return np.round(volume, 4)


def _until_midnight(key: np.ndarray, date: int) -> F64:
    """Days' worth of water up to this date; a day's own is between 0.6 and 1.4 of the quota."""
    return (date % 20_000) + 0.4 * draw(key, "water", date)


def _today(day: HomeDay, home: I32, slots: F64, total: F64) -> F64:
    """What of the day's water, m³, is drawn by then: by slots in which somebody moves."""
    who, slot = np.repeat(home, SLOTS), np.tile(np.arange(SLOTS), len(home))
    active = day.active(who, slot)
    daily = (_daily(day, who, slot) * active).reshape(len(home), SLOTS)
    rest = draw(day.homes.key[who], "drawn", day.date, slot) * active * day.activity(who, slot)
    rest = rest.reshape(len(home), SLOTS)
    left = total - daily.sum(axis=1)
    rest *= (left / np.maximum(rest.sum(axis=1), 1e-9))[:, None]
    drawn = np.cumsum(daily + rest, axis=1)
    whole = np.minimum(slots.astype(np.int64), SLOTS - 1)
    line = np.arange(len(home))
    before = np.where(whole > 0, drawn[line, whole - 1], 0.0)
    now: F64 = before + (drawn[line, whole] - before) * np.minimum(slots - whole, 1.0)
    return now


def _daily(day: HomeDay, home: I32, slot: I64) -> F64:
    """What is drawn in a slot on every day alike, m³."""
    washes = (slot == day.up[home]) | (slot == day.last[home])
    drawn: F64 = WASH * washes * day.homes.residents[home]
    for toilet in day.toilets:
        drawn += FLUSH * (toilet[home] == slot)
    return drawn


def _moved(scene: Scene, rows: I32, slot: I64) -> tuple[I64, I64]:
    """From when to when each sensor sees somebody in its slot, ms; -1 where nobody passes it."""
    key, home, day = scene.cast.key[rows], scene.cast.home[rows], scene.home_day
    likely = day.activity(home, slot)
    passes = (likely >= 1.0) | (draw(key, "passes", day.date, slot) < 0.8)
    seen = passes & day.active(home, slot)
    chance = bits(key, "moves", day.date, slot)
    offset = (chance & np.uint64(0xFFFFFF)).astype(np.int64) % 420_000
    lasting = 30_000 + (chance >> np.uint64(32)).astype(np.int64) % 120_000
    start = scene.now.midnight + slot * SLOT_MS + offset
    seen &= scene.down.match(home, start) < 0
    return np.where(seen, start, -1), start + lasting


def _state(rows: I32, at: I64, values: I64) -> Lines:
    return Lines(rows, at, ("motion",), (values,))
