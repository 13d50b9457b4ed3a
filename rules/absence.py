"""Absence rules: true when no qualifying reading was heard for `lasting`.

What counts is when a reading was heard by the server's clock, not its own time. An absence is
never concluded from readings, only from `now`, up to which everything has been heard: readings that
wait in a queue are not absent. With a `when`, silence of all of the subject's devices is unknown,
not absence: at least one must have been heard within its silence limit of the deadline, or since.
"""

from typing import cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.kind import SILENT_AFTER_INTERVALS
from devices.reading import I32, I64, Bool
from rules.hearing import HEARTBEAT
from rules.memory import AbsenceMemory
from rules.model import Absence
from rules.plan import NOBODY
from rules.silence import Rows
from rules.transition import Cause, Change
from rules.turn import Slots, Turn


def fold(turn: Turn, memory: AbsenceMemory, rows: Rows) -> None:
    """Take note of these rows of the rule's metric; `memory` is changed in place."""
    own, hearing = turn.own, turn.hearing
    rows = _qualifying(turn, rows)
    slot = own.slot[hearing.device[rows]]
    heard = hearing.heard[rows]
    later = (heard > memory.last[slot]) & ~own.away[slot]
    rows, slot, heard = rows[later], slot[later], heard[later]
    firing = np.flatnonzero(memory.firing[slot])
    _end(turn, memory, rows[firing], slot[firing], heard[firing])
    np.maximum.at(memory.last, slot, heard)


def _qualifying(turn: Turn, rows: Rows) -> Rows:
    rows = rows[turn.own.slot[turn.hearing.device[rows]] >= 0]
    when = cast("Absence", turn.own.rule.condition).when
    if when is None:
        return rows[~_offline(turn, rows)]
    attributes = turn.attributes(turn.hearing.device[rows])
    return rows[when.evaluate(turn.hearing.value[rows], attributes)]


def _offline(turn: Turn, rows: Rows) -> Bool:
    """Which say that the device is offline: nothing was heard of it by that."""
    if turn.own.metric != HEARTBEAT:
        return np.zeros(len(rows), np.bool_)
    value = turn.hearing.value[rows]
    return np.equal(value, 0)


def _end(turn: Turn, memory: AbsenceMemory, rows: Rows, slot: I32, heard: I64) -> None:
    """Clear these firing slots, each at the earliest of its readings."""
    device = turn.hearing.device[rows]
    order = np.lexsort((device, heard, slot))
    ended, first = np.unique(slot[order], return_index=True)
    chosen = order[first]
    turn.tell(
        Change.CLEARED,
        Cause.HEARD,
        ended,
        since=memory.last[ended],
        at=heard[chosen],
        value=turn.hearing.value[rows[chosen]],
        devices=[(one,) for one in device[chosen].tolist()],
    )
    memory.firing[ended] = False
    shortest = int(np.min(_lasting(turn)))
    memory.earliest = min(memory.earliest, int(heard.min(initial=FOREVER - shortest)) + shortest)


def tick(turn: Turn, memory: AbsenceMemory, now: Micros) -> None:
    """Fire what has been absent for long enough by `now`; `memory` is changed in place."""
    if memory.earliest > now:
        return
    own, condition = turn.own, cast("Absence", turn.own.rule.condition)
    waiting, lasting = ~memory.firing & ~own.away, _lasting(turn)
    due = at = memory.last + lasting
    slot: Slots = np.flatnonzero(waiting & (due <= now))
    if len(slot) and condition.when is not None:
        alive = np.maximum.reduceat(turn.silence.alive_until(own.devices), own.starts[:-1])
        slot = slot[alive[slot] >= at[slot]]
    elif len(slot) and (turn.plan.gateway[own.devices] != NOBODY).any():
        at = _with_gateways(turn, memory.last, lasting)
        slot = slot[at[slot] <= now]
    since, at = memory.last[slot], at[slot]
    turn.tell(Change.FIRED, Cause.NOTHING_HEARD, slot, since=since, at=at)
    memory.firing[slot] = True
    waiting[slot] = False
    memory.earliest = int(due[waiting].min(initial=FOREVER))


def _lasting(turn: Turn) -> Micros | I64:
    """For how long nothing must come: of all, or of each slot (n,), which has then one device."""
    condition = cast("Absence", turn.own.rule.condition)
    if not condition.intervals:
        return condition.lasting
    interval = turn.plan.silent_after[turn.own.devices] // SILENT_AFTER_INTERVALS
    return interval * condition.intervals


def _with_gateways(turn: Turn, last: I64, lasting: Micros | I64) -> I64:
    """When each slot's absence is due; FOREVER where none of its devices could be heard so long."""
    own = turn.own
    heard = np.repeat(last, np.diff(own.starts))
    due = turn.silence.absent_from(own.devices, heard, lasting)
    return np.minimum.reduceat(due, own.starts[:-1])
