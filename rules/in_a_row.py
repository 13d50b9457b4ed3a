"""Rules of several in a row: true at the n-th reading for which `when` holds with no reset between.

Readings of a subject are taken in the order of their time; of one instant those of the metric that
resets come last. A reading that is not later than the last one taken of its device is late and
ignored; one that is later but comes after others of the subject counts as of then. Silence neither
counts nor resets, and ends nothing: with `clear_after` an alert ends so long after the last one of
the row, but only if none of the subject's devices had fallen silent by then.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I64, Bool
from rules.hearing import newest, rounds
from rules.model import InARow
from rules.places import among, places
from rules.silence import Rows
from rules.spans import FORGOTTEN
from rules.sparse import Sparse
from rules.table import ByDevice
from rules.transition import Cause, Change
from rules.turn import Slots, Turn


@dataclass(slots=True, eq=False)
class InARowMemory:
    """All (n,) but `judged`: int64 (m,), the time of the last reading taken of each device, µs.

    count: how many in a row so far · first, latest: times of the first and the last of them
    last: time of the last reading taken · firing · since: when the span began.
    """

    judged: ByDevice
    count: Sparse[np.int32]
    first: Sparse[np.int64]
    latest: Sparse[np.int64]
    last: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    earliest: Micros = FORGOTTEN


def fresh_in_a_row(n: int, m: int) -> InARowMemory:
    """Of n subjects with m devices of which nothing was heard."""
    never = np.int64(NEVER)
    return InARowMemory(
        judged=ByDevice(m, never),
        count=Sparse(n, np.int32(0)),
        first=Sparse(n, never),
        latest=Sparse(n, never),
        last=Sparse(n, never),
        firing=np.zeros(n, np.bool_),
        since=Sparse(n, never),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Readings, (k,) each. counts, breaks: whether each does; some do neither."""

    slot: I64
    time: I64
    counts: Bool
    breaks: Bool

    def take(self, rows: Rows) -> "_Steps":
        slot, time = self.slot.take(rows), self.time.take(rows)
        return _Steps(slot, time, self.counts.take(rows), self.breaks.take(rows))


def fold(turn: Turn, memory: InARowMemory, rows: Rows) -> None:
    """Take these rows of the rule's metrics; `memory` is changed in place."""
    hearing = turn.hearing
    device, time = hearing.device.take(rows).astype(np.int64), hearing.time.take(rows)
    slot = turn.own.slot[device].astype(np.int64)
    mine = (slot >= 0) & ~turn.own.away.take(slot)
    if np.count_nonzero(mine) < len(rows):
        rows, slot, device, time = rows[mine], slot[mine], device[mine], time[mine]
    place = places(turn.own, slot, device)
    later = time > memory.judged.values.take(place)
    if np.count_nonzero(later) < len(rows):
        rows, slot, place, time = rows[later], slot[later], place[later], time[later]
    if not len(rows):
        return
    steps = _Steps(slot, time, *_says(turn, rows))
    running = memory.count.unusual(slot)
    running |= memory.firing.take(slot)
    running |= steps.counts
    if np.count_nonzero(running):
        running = among(slot, slot[running])
        stirring = _in_order(turn, rows, steps, running)
        for some in rounds(stirring.slot):
            _apply(turn, memory, stirring.take(some))
    passing = steps.breaks > running
    count = np.count_nonzero(passing)
    if count:
        _pass(memory, steps if count == len(slot) else steps.take(passing.nonzero()[0]))
    if not np.count_nonzero(place[1:] <= place[:-1]):
        memory.judged.values[place] = time
    else:
        np.maximum.at(memory.judged.values, place, time)


def _says(turn: Turn, rows: Rows) -> tuple[Bool, Bool]:
    """Which of these rows count, and which break the row: two bool (k,)."""
    hearing, condition = turn.hearing, cast("InARow", turn.own.rule.condition)
    none = not len(hearing.rows_of(turn.own.metric))
    if none and condition.reset_metric and condition.reset is None:
        return np.zeros(len(rows), np.bool_), np.ones(len(rows), np.bool_)
    main = hearing.metric.take(rows) == turn.own.metric
    counts, breaks = np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.bool_)
    asked = main.nonzero()[0]
    if len(asked):
        those = rows.take(asked)
        true, false = turn.judge(
            condition.when, hearing.device.take(those), hearing.value.take(those)
        )
        counts[asked] = true & turn.own.calendar.is_active(hearing.time.take(those))
        breaks[asked] = false & (not condition.reset_metric)
    if condition.reset_metric:
        breaks |= ~main
    if condition.reset is not None:
        asked = (~main if condition.reset_metric else main).nonzero()[0]
        those = rows.take(asked)
        breaks[asked], _ = turn.judge(
            condition.reset, hearing.device.take(those), hearing.value.take(those)
        )
    return counts & ~breaks, breaks


def _in_order(turn: Turn, rows: Rows, steps: _Steps, which: Bool) -> _Steps:
    """These steps, those that count or break, by slot and time; of one instant breaks last.

    rows: of the steps. What a device says twice of a metric and instant counts once.
    """
    hearing, kept = turn.hearing, which.nonzero()[0]
    said = np.column_stack(
        (
            steps.slot[kept],
            steps.time[kept],
            hearing.metric[rows[kept]] != turn.own.metric,
            hearing.device[rows[kept]],
        )
    )
    order = np.lexsort(said.T[::-1])
    once = np.ones(len(order), np.bool_)
    once[1:] = (said[order[1:]] != said[order[:-1]]).any(axis=1)
    steps = steps.take(kept[order[once]])
    return steps.take((steps.counts | steps.breaks).nonzero()[0])


def _pass(memory: InARowMemory, steps: _Steps) -> None:
    """Breaks where there is no row: only their time is remembered."""
    slot, time = newest(steps.slot, steps.time)
    memory.last[slot] = np.maximum(memory.last[slot], time)


def _apply(turn: Turn, memory: InARowMemory, steps: _Steps) -> None:
    """One step of each of these slots, which are all different."""
    slot = steps.slot
    time = np.maximum(steps.time, memory.last[slot])
    memory.last[slot] = time
    if np.count_nonzero(memory.firing.take(slot)):
        _expire(turn, memory, slot, time)
    counts = np.count_nonzero(steps.counts)
    if counts:
        _count(turn, memory, slot[steps.counts], time[steps.counts])
    if counts < len(slot):
        _reset(turn, memory, slot[steps.breaks], time[steps.breaks])


def _count(turn: Turn, memory: InARowMemory, slot: I64, time: I64) -> None:
    needed = cast("InARow", turn.own.rule.condition).count
    count = np.minimum(memory.count[slot] + 1, needed).astype(np.int32)
    memory.count[slot] = count
    memory.latest[slot] = time
    begins = count == 1
    if np.count_nonzero(begins):
        memory.first[slot[begins]] = time[begins]
    reached = (count == needed) & ~memory.firing[slot]
    ready = slot[reached]
    if not len(ready):
        return
    memory.firing[ready] = True
    memory.since[ready] = since = memory.first[ready]
    memory.earliest = FORGOTTEN
    value = count[reached].astype(np.float64)
    turn.tell(Change.FIRED, Cause.COUNT_REACHED, ready, since=since, at=time[reached], value=value)


def _reset(turn: Turn, memory: InARowMemory, slot: I64, time: I64) -> None:
    firing = memory.firing[slot]
    if np.count_nonzero(firing):
        _clear(turn, memory, slot[firing], time[firing], Cause.CONDITION_ENDED)
    memory.count.put(slot, 0)


def _clear(turn: Turn, memory: InARowMemory, slot: Slots, at: I64, cause: Cause) -> None:
    memory.firing[slot] = False
    memory.count[slot] = 0
    turn.tell(Change.CLEARED, cause, slot, since=memory.since[slot], at=at)


def _expire(turn: Turn, memory: InARowMemory, slot: I64, time: I64) -> None:
    """End, before readings at these times, what had ended by then and was heard to the end."""
    clear_after = cast("InARow", turn.own.rule.condition).clear_after
    if not clear_after:
        return
    end = memory.latest[slot] + clear_after
    over = (memory.firing.take(slot) & (end < time)).nonzero()[0]
    if not len(over):
        return
    heard = [turn.heard_to(int(slot[i]), int(end[i]), int(time[i])) for i in over.tolist()]
    over = over[np.array(heard, np.bool_)]
    if len(over):
        _clear(turn, memory, slot[over], end[over], Cause.COUNT_FELL)


def tick(turn: Turn, memory: InARowMemory, now: Micros) -> None:
    """End what has ended before `now` and was heard to the end; `memory` is changed in place."""
    own, clear_after = turn.own, cast("InARow", turn.own.rule.condition).clear_after
    if not clear_after or memory.earliest >= now:
        return
    slot = np.flatnonzero(memory.firing & ~own.away)
    end = memory.latest[slot] + clear_after
    over = end < now - turn.lag(slot)
    memory.earliest = int(end[~over].min(initial=FOREVER))
    ended = over & (end <= turn.first_silent_at(slot))
    _clear(turn, memory, slot[ended], end[ended], Cause.COUNT_FELL)
    if (over & ~ended).any():
        memory.earliest = FORGOTTEN
