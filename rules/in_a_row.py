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
from devices.reading import I32, I64, Bool
from rules.hearing import rounds
from rules.model import InARow
from rules.places import places
from rules.silence import Rows
from rules.sparse import Sparse
from rules.table import ByDevice
from rules.transition import Cause, Change
from rules.turn import Slots, Turn

FORGOTTEN: Micros = NEVER


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
    """Readings that count or reset, by slot and time, (k,) each."""

    slot: I32
    time: I64
    counts: Bool

    def take(self, rows: Rows | Bool) -> "_Steps":
        return _Steps(self.slot[rows], self.time[rows], self.counts[rows])


def fold(turn: Turn, memory: InARowMemory, rows: Rows) -> None:
    """Take these rows of the rule's metrics; `memory` is changed in place."""
    own, hearing = turn.own, turn.hearing
    rows = rows[own.slot[hearing.device[rows]] >= 0]
    rows = rows[~own.away[own.slot[hearing.device[rows]]]]
    device = hearing.device[rows]
    place = places(own, own.slot[device], device)
    later = hearing.time[rows] > memory.judged.values[place]
    rows, place = rows[later], place[later]
    steps = _steps(turn, rows)
    for some in rounds(steps.slot):
        _apply(turn, memory, steps.take(some))
    np.maximum.at(memory.judged.values, place, hearing.time[rows])


def _steps(turn: Turn, rows: Rows) -> _Steps:
    hearing, condition = turn.hearing, cast("InARow", turn.own.rule.condition)
    device, time = hearing.device[rows], hearing.time[rows]
    slot, main = turn.own.slot[device], hearing.metric[rows] == turn.own.metric
    order = np.lexsort((device, ~main, time, slot))
    key = np.column_stack([slot[order], time[order], ~main[order], device[order]])
    new = np.ones(len(order), np.bool_)
    new[1:] = (np.diff(key, axis=0) != 0).any(axis=1)
    order = order[new]
    rows, device, main = rows[order], device[order], main[order]
    value, attributes = hearing.value[rows], turn.attributes(device)
    true, false = condition.when.judge(value, attributes)
    breaks = ~main if condition.reset_metric else main & false
    if condition.reset is not None:
        breaks = condition.reset.evaluate(value, attributes)
        breaks &= ~main if condition.reset_metric else main
    counts = true & main & ~breaks
    steps = _Steps(slot[order], time[order], counts)
    return steps.take(counts | breaks)


def _apply(turn: Turn, memory: InARowMemory, steps: _Steps) -> None:
    """One step of each of these slots, which are all different."""
    slot = steps.slot
    time = np.maximum(steps.time, memory.last[slot])
    memory.last[slot] = time
    _expire(turn, memory, slot, time)
    _count(turn, memory, slot[steps.counts], time[steps.counts])
    _reset(turn, memory, slot[~steps.counts], time[~steps.counts])


def _count(turn: Turn, memory: InARowMemory, slot: I32, time: I64) -> None:
    needed = cast("InARow", turn.own.rule.condition).count
    count = np.minimum(memory.count[slot] + 1, needed).astype(np.int32)
    memory.count[slot] = count
    memory.latest[slot] = time
    begins = count == 1
    memory.first[slot[begins]] = time[begins]
    reached = (count == needed) & ~memory.firing[slot]
    ready = slot[reached]
    memory.firing[ready] = True
    memory.since[ready] = since = memory.first[ready]
    if len(ready):
        memory.earliest = FORGOTTEN
    value = count[reached].astype(np.float64)
    turn.tell(Change.FIRED, Cause.COUNT_REACHED, ready, since=since, at=time[reached], value=value)


def _reset(turn: Turn, memory: InARowMemory, slot: I32, time: I64) -> None:
    firing = memory.firing[slot]
    _clear(turn, memory, slot[firing], time[firing], Cause.CONDITION_ENDED)
    memory.count.put(slot, 0)


def _clear(turn: Turn, memory: InARowMemory, slot: Slots, at: I64, cause: Cause) -> None:
    memory.firing[slot] = False
    memory.count[slot] = 0
    turn.tell(Change.CLEARED, cause, slot, since=memory.since[slot], at=at)


def _expire(turn: Turn, memory: InARowMemory, slot: I32, time: I64) -> None:
    """End, before readings at these times, what had ended by then and was heard to the end."""
    clear_after = cast("InARow", turn.own.rule.condition).clear_after
    if not clear_after:
        return
    end = memory.latest[slot] + clear_after
    over = np.flatnonzero(memory.firing[slot] & (end < time))
    heard = [turn.heard_to(int(slot[i]), int(end[i]), int(time[i])) for i in over.tolist()]
    over = over[np.array(heard, np.bool_)]
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
