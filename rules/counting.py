"""What measures over windows have heard is put into panes.

What a counter grew by between two readings belongs to the later of them; one that fell was reset
and has grown from zero. Where they lie further apart than `reach` nothing is known of its growth.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from devices.instant import HOUR, Micros
from devices.reading import F64, I32, I64, Bool
from rules.backlog import Came
from rules.measured import (
    GrowthMemory,
    MeasureMemory,
    PaneMemory,
    Ring,
    SetMemory,
    counts_up,
    measuring,
    panes_of,
)
from rules.panes import Panes
from rules.places import places
from rules.plan import Plan, RulePlan
from rules.silence import Rows

_SHORT = 65_536
"""Places below this are sorted as 16 bits: so numpy takes a tenth of the time."""


class Coming(NamedTuple):
    """Numbers to put into panes, (k,). start: the first step in whose window each counts."""

    slot: I64
    pane: I64
    start: I64
    time: I64
    number: F64

    def take(self, rows: Rows | Bool) -> "Coming":
        """These of them."""
        slot, pane, start, time, number = self
        return Coming(slot[rows], pane[rows], start[rows], time[rows], number[rows])


class Portions(NamedTuple):
    """Coming numbers in order, in portions that begin to count for one subject at one step, (p,).

    rows start to end of each · late: whether any of it lies before the step's own last pane.
    """

    coming: Coming
    starts: Rows
    ends: Rows
    slot: I64
    start: I64
    late: Bool


def coming_of(
    plan: Plan, own: RulePlan, memory: MeasureMemory, parts: Sequence[Came]
) -> Coming | None:
    """What has come, to be counted; what counters read last is kept in `memory`."""
    read = _chosen(plan, own, _of_subjects(own, _read(own, parts, measuring(own.rule).step)))
    if len(read.slot) and isinstance(memory, GrowthMemory) and counts_up(own.rule):
        read = _growth(own, memory, read)
    return _in_windows(own, memory, read) if len(read.slot) else None


def portions(coming: Coming) -> Portions:
    """By subject and by the step from which they count, both ascending."""
    slot, start = coming.slot, coming.start
    begins = np.ones(len(slot), np.bool_)
    begins[1:] = (slot[1:] != slot[:-1]) | (start[1:] != start[:-1])
    starts = begins.nonzero()[0]
    ends = np.append(starts[1:], len(slot))
    # Within a portion by time, so that the first one's pane is the least.
    late = coming.pane[starts] < start[starts] - 1
    return Portions(coming, starts, ends, slot[starts], start[starts], late)


class _Read(NamedTuple):
    """Readings, (k,), as `Came`; slot: NOBODY's where the rule does not judge them."""

    slot: I64
    device: I64
    time: I64
    value: F64
    start: I64
    token: I64 | None

    def take(self, rows: Rows | Bool) -> "_Read":
        slot, device, time, value, start, token = self
        token = None if token is None else token[rows]
        return _Read(slot[rows], device[rows], time[rows], value[rows], start[rows], token)


def _read(own: RulePlan, parts: Sequence[Came], step: Micros) -> _Read:
    device = np.concatenate([part.device for part in parts])
    time = np.concatenate([part.time for part in parts])
    value = np.concatenate([part.value for part in parts])
    tokens = [part.token for part in parts if part.token is not None]
    token = np.concatenate(tokens) if tokens else None
    start, end = time // step + 1, 0
    for part in parts:
        end += len(part.device)
        if part.start is not None:
            start[end - len(part.device) : end] = part.start
    slot = own.slot[device].astype(np.int64)
    return _Read(slot, device, time, value, start, token)


def _of_subjects(own: RulePlan, read: _Read) -> _Read:
    """The readings of subjects that are judged for now."""
    ours = read.slot >= 0
    ours[ours] = ~own.away[read.slot[ours]]
    return read if np.count_nonzero(ours) == len(ours) else read.take(ours)


def _chosen(plan: Plan, own: RulePlan, read: _Read) -> _Read:
    """The readings that the condition chooses, and that name somebody where these are counted."""
    where = measuring(own.rule).where
    if where is not None:
        attributes = {name: plan.attributes[name][read.device] for name in own.attributes}
        read = read.take(where.evaluate(read.value, attributes))
    if read.token is None:
        return read
    # Whom it names is kept bit by bit in place of the number: all that is asked is who is the same.
    named = read._replace(value=read.token.view(np.float64))
    return named.take(read.token != 0)


def _growth(own: RulePlan, memory: GrowthMemory, read: _Read) -> _Read:
    """The readings of counters that tell of growth, and how much; what each read last is kept."""
    place = places(own, read.slot, read.device)
    if np.count_nonzero(place[1:] < place[:-1]):
        order = _sorted(place)
        read, place = read.take(order), place.take(order)
    last_time, last_number = memory.last_time.values, memory.last_number.values
    later = _later(place, read.time, last_time)
    if np.count_nonzero(later) < len(later):
        read, place = read.take(later), place[later]
    if not len(place):
        return read
    time, number = read.time, read.value
    first = np.ones(len(place), np.bool_)
    first[1:] = place[1:] != place[:-1]
    before, was = np.empty_like(time), np.empty_like(number)
    before[1:], was[1:] = time[:-1], number[:-1]
    begun = first.nonzero()[0]
    before[begun], was[begun] = last_time[place[begun]], last_number[place[begun]]
    ends = np.append(begun[1:], len(place)) - 1
    last_time[place[ends]], last_number[place[ends]] = time[ends], number[ends]
    growth = np.where(number >= was, number - was, number)
    condition = measuring(own.rule)
    read = read._replace(value=growth, start=_none_before(place, read.start))
    return read.take(before >= time - condition.reach)


def _none_before(place: I64, start: I64) -> I64:
    """From which step each counts so that none does before an earlier one of its place."""
    if not np.count_nonzero((place[1:] == place[:-1]) & (start[1:] < start[:-1])):
        return start
    steps, rank = np.unique(start, return_inverse=True)
    most = np.maximum.accumulate(place * len(steps) + rank)
    latest: I64 = steps[most - place * len(steps)]
    return latest


def _later(place: I64, time: I64, last: I64) -> Bool:
    """Which readings, by place and as they came, are later than all of their place before them."""
    later: Bool = time > last[place]
    same = place[1:] == place[:-1]
    if np.count_nonzero(same & (time[1:] <= time[:-1])):
        rank = np.unique(time, return_inverse=True)[1]
        key = place * len(time) + rank
        most = np.maximum.accumulate(key)
        later[1:] &= ~same | (key[1:] > most[:-1])
    return later


def _sorted(numbers: I64) -> Rows:
    """The places (n,) of these numbers, none below 0, in ascending order; ties as they stand."""
    short = numbers.astype(np.uint16) if numbers.max() < _SHORT else numbers
    order: Rows = short.argsort(kind="stable")
    return order


def _in_windows(own: RulePlan, memory: MeasureMemory, read: _Read) -> Coming | None:
    """In order, without what is too late for any window."""
    panes = panes_of(measuring(own.rule))
    pane = read.time // panes.step
    coming = Coming(read.slot, pane, read.start, read.time, read.value)
    late = np.maximum(read.start, memory.first[read.slot]) > pane + panes.count
    if np.count_nonzero(late):
        coming, read = coming.take(~late), read.take(~late)
    if not len(coming.slot):
        return None
    order = _order(coming, read.device)
    return coming if order is None else coming.take(order)


def _order(coming: Coming, device: I64) -> Rows | None:
    """By slot, step, time and device; None where they are."""
    before, after = coming.slot[:-1], coming.slot[1:]
    rises = (after > before) | (
        (after == before)
        & (coming.start[1:] >= coming.start[:-1])
        & (coming.time[1:] > coming.time[:-1])
    )
    if np.count_nonzero(rises) == len(rises):
        return None
    order: Rows = np.lexsort((device, coming.time, coming.start, coming.slot))
    return order


def collect(memory: SetMemory, coming: Coming) -> None:
    """Note the numbers, each with its pane."""
    slot, pane, start, _, number = coming
    memory.seen.add(slot, pane=pane, start=start, number=number)


def put(panes: Panes, memory: PaneMemory, some: Portions, which: Rows) -> None:
    """Add these portions, of different subjects, to the cells, one number after the other."""
    first, last = some.starts[which], some.ends[which]
    counts = last - first
    rows = np.repeat(last - counts.cumsum(), counts) + np.arange(counts.sum())
    coming = some.coming.take(rows)
    slots, cells = some.slot[which], panes.cells
    if np.count_nonzero(coming.pane != coming.start - 1):
        keys = coming.slot * cells + coming.pane % cells
        keys, which = np.unique(keys, return_inverse=True)
        at = (keys // cells, keys % cells)
    else:
        which = np.repeat(np.arange(len(slots)), counts)
        firsts = counts.cumsum() - counts
        at = (slots, coming.pane[firsts] % cells)
    number = coming.number
    _add(memory.count, np.add, at, which, np.ones(len(number), np.int32))
    _add(memory.total, np.add, at, which, number)
    best = np.minimum if memory.extreme.usual > 0 else np.maximum
    _add(memory.extreme, best, at, which, number)
    if memory.moment.shape[1]:
        hours = (coming.time - coming.pane * panes.step) / HOUR
        _add(memory.moment, np.add, at, which, hours)
        _add(memory.squared, np.add, at, which, hours * hours)
        _add(memory.product, np.add, at, which, hours * number)


def _add(ring: Ring, how: np.ufunc, at: tuple[I64, I64], which: I64, numbers: I32 | F64) -> None:
    if ring.shape[1]:
        cells = ring[at]
        # One after the other: sums do not depend on how the stream was cut.
        how.at(cells, which, numbers)
        ring[at] = cells
