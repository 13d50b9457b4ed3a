"""Absence rules: true when no qualifying reading was heard for `lasting` of active time.

Active time adds up: what is missing for two nights is missing for the sum of both. What counts is
when a reading was heard by the server's clock, not its own time. An absence is never concluded from
readings, only from `now`, up to which everything has been heard: readings that wait in a queue are
not absent. With a `when`, silence of all of the subject's devices is unknown, not absence: at least
one must have been heard within its silence limit of the deadline, or since.
"""

from typing import NamedTuple, cast

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.kind import SILENT_AFTER_INTERVALS
from devices.reading import I32, I64, Bool
from rules.expression import Expression
from rules.finite import mask_of
from rules.hearing import HEARTBEAT, Group
from rules.memory import AbsenceMemory
from rules.model import Absence
from rules.places import places_of
from rules.plan import NOBODY, RulePlan
from rules.silence import Rows
from rules.transition import Cause, Change
from rules.turn import Turn


class _Found(NamedTuple):
    """Readings that count, (k,): which of the group, whose, and when each was heard."""

    which: Rows
    slot: I32
    heard: I64


_SHARED = id(_Found)


def fold(turn: Turn, memory: AbsenceMemory, _rows: Rows) -> None:
    """Take note of the rows of the rule's metric; `memory` is changed in place."""
    own, group = turn.own, turn.hearing.group(turn.own.metric)
    which, slot, heard = _found(turn, group)
    if not len(which):
        return
    later, away = heard > memory.last.take(slot), own.away.take(slot)
    if np.count_nonzero(away):
        later &= ~away
    if np.count_nonzero(later) < len(later):
        which, slot, heard = which[later], slot[later], heard[later]
    firing = memory.firing.take(slot)
    if np.count_nonzero(firing):
        rows = group.row.take(which[firing])
        _end(turn, memory, rows, slot[firing].astype(np.int64), heard[firing])
    if group.single and len(own.devices) == len(own.subject_ids):
        memory.last[slot] = heard
    else:
        np.maximum.at(memory.last, slot, heard)


def _found(turn: Turn, group: Group) -> _Found:
    """What counts; worked out once for all rules of one condition over the same subjects."""
    when = cast("Absence", turn.own.rule.condition).when
    key = (id(turn.own.slot), "" if when is None else when.text)
    shared = cast("dict[tuple[int, str], _Found]", group.shared.setdefault(_SHARED, {}))
    found = shared.get(key)
    if found is None:
        found = shared[key] = _qualifying(turn, group, when)
    return found


def _qualifying(turn: Turn, group: Group, when: Expression | None) -> _Found:
    slot = turn.own.slot[group.device]
    ours = slot >= 0
    if when is not None:
        mask = mask_of(when) if turn.hearing.finite else None
        if mask is not None:
            ours &= mask(group.value)
        else:
            ours &= when.evaluate(group.value, turn.attributes(group.device))
    elif turn.own.metric == HEARTBEAT:
        ours &= group.value != 0  # nothing was heard of the device by 'offline'
    which, word = ours.nonzero()[0], group.word
    if len(which) < len(slot):
        slot, word = slot.take(which), word.take(which)
    return _Found(which, slot, turn.hearing.heard_at(word))


def _end(turn: Turn, memory: AbsenceMemory, rows: Rows, slot: I64, heard: I64) -> None:
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
    turn.stirred.append(ended)
    shortest = int(np.min(_lasting(turn)))
    memory.earliest = min(memory.earliest, int(heard.min(initial=FOREVER - shortest)) + shortest)


def tick(turn: Turn, memory: AbsenceMemory, now: Micros) -> None:
    """Fire what has been absent for long enough by `now`; `memory` is changed in place."""
    own, every = turn.own, memory.earliest <= now
    waiting = ~memory.firing & ~own.away if every else None
    if waiting is not None:
        bound = memory.last + _lasting(turn)
        slot = (waiting & (bound <= now)).nonzero()[0]
        later = int(bound[waiting & (bound > now)].min(initial=FOREVER))
    elif memory.unsure:
        slot, later = _heard_of(turn, memory), memory.earliest
        slot = slot[~(memory.firing.take(slot) | own.away.take(slot))]
    else:
        return
    at = _due(turn, memory, slot)
    come = at <= now
    later = min(later, int(at[~come].min(initial=FOREVER)))
    looked, slot, at = slot, slot[come], at[come]
    sure, at = _concluded(turn, memory, slot, at, now)
    _fire(turn, memory, slot[sure], at[sure])
    unsure = frozenset(slot[~sure].tolist())
    later = min(later, int(at[~sure & (at > now)].min(initial=FOREVER)))
    memory.unsure = unsure if every else (memory.unsure - set(looked.tolist())) | unsure
    memory.earliest = later


def due(_own: RulePlan, memory: AbsenceMemory) -> Micros:
    """Before when there is nothing for `tick` to do."""
    return NEVER if memory.unsure else memory.earliest


def _fire(turn: Turn, memory: AbsenceMemory, slot: I64, at: I64) -> None:
    turn.tell(Change.FIRED, Cause.NOTHING_HEARD, slot, since=memory.last[slot], at=at)
    memory.firing[slot] = True


def _heard_of(turn: Turn, memory: AbsenceMemory) -> I64:
    """The unsure of whom a device, or its gateway, has said anything."""
    hearing, silence = turn.hearing, turn.silence
    device = hearing.words.device
    if len(hearing.outages.heard):
        device = np.concatenate([device, silence.behind.of(hearing.outages.heard)[0]])
    slot = turn.own.slot[device]
    return np.array(sorted(memory.unsure.intersection(slot.tolist())), np.int64)


def _due(turn: Turn, memory: AbsenceMemory, slot: I64) -> I64:
    """When each has been absent for long enough, if it could be heard, µs (k,)."""
    return turn.own.calendar.elapse(memory.last[slot], _lasting_of(turn, slot))


def _concluded(
    turn: Turn, memory: AbsenceMemory, slot: I64, at: I64, now: Micros
) -> tuple[Bool, I64]:
    """Of which of these, due at these times, it is certain that they were not heard; since when."""
    own, condition = turn.own, cast("Absence", turn.own.rule.condition)
    if not len(slot):
        return np.zeros(0, np.bool_), at
    there, starts = places_of(own, slot)
    device = own.devices.take(there)
    if condition.when is not None:
        alive = np.maximum.reduceat(turn.silence.alive_until(device), starts)
        return alive >= at, at
    if not (turn.plan.gateway.take(device) != NOBODY).any():
        return np.ones(len(slot), np.bool_), at
    sizes = np.diff(starts, append=len(there))
    heard, lasting = memory.last[slot].repeat(sizes), _lasting_of(turn, slot)
    when = turn.silence.absent_from(
        device, heard, lambda since: own.calendar.elapse(since, lasting)
    )
    at = np.minimum.reduceat(when, starts)
    return at <= now, at


def _lasting_of(turn: Turn, slot: I64) -> Micros | I64:
    """As `_lasting`, of these slots."""
    lasting = _lasting(turn)
    return lasting if isinstance(lasting, int) else lasting[slot]


def _lasting(turn: Turn) -> Micros | I64:
    """For how long nothing must come: of all, or of each slot (n,), which has then one device."""
    condition = cast("Absence", turn.own.rule.condition)
    if not condition.intervals:
        return condition.lasting
    interval = turn.plan.silent_after[turn.own.devices] // SILENT_AFTER_INTERVALS
    return interval * condition.intervals
