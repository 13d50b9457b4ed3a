"""Count rules: true when `count` qualifying readings lie within `within` of each other.

Of each subject the last `count` times are kept, in order, whatever the order they came in. The rule
fires at the time of the last of them, since the first of them. It clears when the first of them is
longer ago than `within`, but only if none of the subject's devices had fallen silent by then: who
is not heard may have had more to tell. What was counted in a span that has ended is not counted
again.

A device's readings of the same microsecond count once.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.reading import F64, I32, I64, Bool
from rules.hearing import rounds
from rules.memory import WindowMemory
from rules.model import CountInWindow
from rules.silence import Rows
from rules.spans import FORGOTTEN
from rules.transition import Cause, Change
from rules.turn import Slots, Turn


@dataclass(frozen=True, slots=True, eq=False)
class _Counted:
    """Qualifying readings by slot, time and device, (k,) each."""

    slot: I32
    time: I64
    device: I32

    def take(self, rows: Rows | Bool) -> "_Counted":
        return _Counted(self.slot[rows], self.time[rows], self.device[rows])


def fold(turn: Turn, memory: WindowMemory, rows: Rows) -> None:
    """Count these rows of the rule's metric; `memory` is changed in place."""
    counted = _counted(turn, rows)
    for places in rounds(counted.slot):
        step = counted.take(places)
        step = step.take(~_known(memory, step))
        _expire(turn, memory, step)
        step = step.take(step.time > memory.spent[step.slot])
        _insert(memory, step)
        _fire(turn, memory, step.slot)


def _counted(turn: Turn, rows: Rows) -> _Counted:
    """The readings that qualify, of subjects whom the rule judges, each once."""
    own, hearing = turn.own, turn.hearing
    where = cast("CountInWindow", own.rule.condition).when
    if where is not None:
        device = hearing.device.take(rows)
        rows = rows[where.evaluate(hearing.value.take(rows), turn.attributes(device))]
    device, time = hearing.device.take(rows), hearing.time.take(rows)
    slot = own.slot[device]
    mine = (slot >= 0) & ~own.away[slot]
    mine[mine] = own.calendar.is_active(time[mine])
    counted = _Counted(slot, time, device)
    if not np.count_nonzero(mine):
        return counted.take(mine)
    counted = counted.take(mine)
    counted = counted.take(np.lexsort((counted.device, counted.time, counted.slot)))
    new = np.ones(len(counted.slot), np.bool_)
    new[1:] = counted.time[1:] != counted.time[:-1]
    new[1:] |= counted.device[1:] != counted.device[:-1]
    return counted.take(new)


def _expire(turn: Turn, memory: WindowMemory, step: _Counted) -> None:
    """Clear, before the readings of this step, what had ended by then and was heard to the end."""
    within = cast("CountInWindow", turn.own.rule.condition).within
    end = memory.times[step.slot, 0] + within
    over = memory.firing[step.slot] & (end < step.time)
    rows = zip(step.slot[over].tolist(), end[over].tolist(), step.time[over].tolist(), strict=True)
    ended = [slot for slot, at, time in rows if turn.heard_to(slot, at, time)]
    _clear(turn, memory, np.array(ended, np.intp))


def _clear(turn: Turn, memory: WindowMemory, slot: Slots) -> None:
    within = cast("CountInWindow", turn.own.rule.condition).within
    times = memory.times[slot]
    left: F64 = (times > times[:, :1]).sum(axis=1).astype(np.float64)
    memory.firing[slot] = False
    memory.spent[slot] = times[:, -1]
    turn.tell(
        Change.CLEARED,
        Cause.COUNT_FELL,
        slot,
        since=memory.since[slot],
        at=times[:, 0] + within,
        value=left,
        devices=_devices(memory, slot),
    )


def _known(memory: WindowMemory, step: _Counted) -> Bool:
    """Which are counted already: heard again, they say nothing new, not even that time went on."""
    times, devices = memory.times[step.slot], memory.devices[step.slot]
    known: Bool = ((times == step.time[:, None]) & (devices == step.device[:, None])).any(axis=1)
    return known


def _insert(memory: WindowMemory, step: _Counted) -> None:
    """Put each reading in its place among its slot's, and drop the oldest there."""
    step = step.take(step.time > memory.times[step.slot, 0])
    times, devices = memory.times[step.slot], memory.devices[step.slot]
    times[:, 0], devices[:, 0] = step.time, step.device
    order = np.lexsort((devices, times), axis=1)
    memory.times[step.slot] = np.take_along_axis(times, order, axis=1)
    memory.devices[step.slot] = np.take_along_axis(devices, order, axis=1)


def _fire(turn: Turn, memory: WindowMemory, slot: I32) -> None:
    condition = cast("CountInWindow", turn.own.rule.condition)
    first, last = memory.times[slot, 0], memory.times[slot, -1]
    reached = (first > memory.spent[slot]) & (last <= first + condition.within)
    reached &= ~memory.firing[slot]
    slot = slot[reached]
    if not len(slot):
        return
    memory.firing[slot] = True
    memory.since[slot] = first[reached]
    memory.earliest = FORGOTTEN
    turn.stirred.append(slot.astype(np.int64))
    turn.tell(
        Change.FIRED,
        Cause.COUNT_REACHED,
        slot,
        since=first[reached],
        at=last[reached],
        value=np.full(len(slot), float(condition.count)),
        devices=_devices(memory, slot),
    )


def _devices(memory: WindowMemory, slot: Slots) -> list[tuple[int, ...]]:
    return [tuple(sorted(set(row))) for row in memory.devices[slot].tolist()]


def tick(turn: Turn, memory: WindowMemory, now: Micros) -> None:
    """Clear what has ended before `now` and was heard to the end; `memory` is changed in place."""
    if memory.earliest >= now:
        return
    own, within = turn.own, cast("CountInWindow", turn.own.rule.condition).within
    firing = np.flatnonzero(memory.firing & ~own.away)
    end = memory.times[firing, 0] + within
    over = end < now - np.maximum.reduceat(turn.silence.lag[own.devices], own.starts[:-1])[firing]
    memory.earliest = int(end[~over].min(initial=FOREVER))
    if not over.any():
        return
    heard_to = np.minimum.reduceat(turn.silence.silent_at(own.devices), own.starts[:-1])
    ended = over & (end <= heard_to[firing])
    _clear(turn, memory, firing[ended])
    if (over & ~ended).any():
        memory.earliest = FORGOTTEN
