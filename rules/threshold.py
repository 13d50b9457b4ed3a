"""Threshold rules: true while `when` holds without a break for `lasting`, until `clear` holds.

Readings of one subject are folded in the order of their time, those of many subjects at once.
Before a reading is applied, its subject's timer is advanced to it, so that what was due by then has
fired, whatever the reading says. A device's silence is a step of its own: it ends what was pending
(after firing what was due before the device counted as silent) and never ends what is firing.

A reading not later than the last one judged of the same device is late and ignored. On a momentary
metric that is so among those only for which `when` holds: a press is not undone by another report
of its device that overtook it.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_ID
from devices.reading import F64, I64
from rules.hearing import rounds
from rules.memory import FORGOTTEN, ThresholdMemory
from rules.model import NoData, Threshold
from rules.silence import Rows
from rules.steps import (
    CLEAR,
    NO_GAP,
    SILENCE,
    TRUE,
    Judged,
    Steps,
    heed,
    occurrences,
    steps_of,
)
from rules.transition import Cause, Change
from rules.turn import Turn


def fold(turn: Turn, memory: ThresholdMemory, _rows: Rows) -> None:
    """Judge the rows of the rule's metric, changing `memory` in place and telling transitions."""
    if BY_ID[turn.own.metric].occurs:
        heeded = occurrences(turn, memory)
        _tell_occurrences(turn, heeded.stirring)
    else:
        heeded = heed(turn, memory)
        if len(heeded.stirring.slot) or len(heeded.ends):
            _Fold(turn, memory, heeded.stirring, heeded.ends).run()
    if len(heeded.slot):
        memory.judged[heeded.slot] = heeded.time
        memory.value[heeded.slot] = heeded.value


def tick(turn: Turn, memory: ThresholdMemory, now: Micros) -> None:
    """Fire what is due by `now` and say who has fallen silent before it; `memory` in place."""
    if BY_ID[turn.own.metric].occurs:
        return
    lasting = cast("Threshold", turn.own.rule.condition).lasting
    if memory.earliest + lasting <= now:
        _tick_pending(turn, memory, now, lasting)
    if memory.quiet < now:
        memory.quiet = _tick_silence(turn, memory, now, None)
    elif turn.stirred or len(turn.hearing.unsettled):
        soonest = _tick_silence(turn, memory, now, _stirred(turn))
        memory.quiet = min(memory.quiet, soonest)


def _stirred(turn: Turn) -> I64:
    """Slots, ascending, of which something may have changed, or whose devices' silence did."""
    slots = [*turn.stirred]
    if len(turn.hearing.unsettled):
        mine = turn.own.slot[turn.hearing.unsettled]
        slots.append(mine[mine >= 0].astype(np.int64))
    every = np.sort(np.concatenate(slots))
    new = np.ones(len(every), np.bool_)
    new[1:] = every[1:] != every[:-1]
    return every[new]


def _tell_occurrences(turn: Turn, judged: Judged) -> None:
    time, value = judged.time, judged.value
    turn.tell(Change.FIRED, Cause.OCCURRED, judged.slot, since=time, at=time, value=value)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """One fold of one rule; `judged` has no readings of people who are away."""

    turn: Turn
    memory: ThresholdMemory
    judged: Judged
    ends: Rows

    @property
    def lasting(self) -> Micros:
        return cast("Threshold", self.turn.own.rule.condition).lasting

    def run(self) -> None:
        steps, memory = steps_of(self.turn, self.judged, self.ends), self.memory
        for rows in rounds(steps.slot):
            self._apply(steps.take(rows) if len(rows) < len(steps.slot) else steps)
        waits = (steps.verdict == TRUE) & ~memory.firing.take(steps.slot)
        memory.earliest = min(memory.earliest, int(steps.time[waits].min(initial=FOREVER)))
        self.turn.stirred.append(steps.slot)

    def _apply(self, steps: Steps) -> None:
        """One step of each of these slots, which are all different."""
        self._fire_due(steps)
        silence = steps.verdict >= SILENCE
        if np.count_nonzero(silence):
            self._apply_silence(steps.take(silence))
        true = steps.verdict == TRUE
        if np.count_nonzero(true):
            self._apply_true(steps.take(true))
        other = ~(silence | true)
        if np.count_nonzero(other):
            self._apply_other(steps.take(other))

    def _fire_due(self, steps: Steps) -> None:
        memory, slot = self.memory, steps.slot
        due = (memory.pending[slot] <= steps.until - self.lasting) & ~memory.firing[slot]
        if due.any():
            slot = slot[due]
            at = memory.pending[slot] + self.lasting
            _fire(self.turn, memory, slot, at, self._value_before(slot, at))

    def _apply_true(self, steps: Steps) -> None:
        memory, slot = self.memory, steps.slot
        memory.by_silence[slot] = False
        memory.pending[slot] = np.minimum(memory.pending[slot], steps.time)
        if self.lasting == 0:
            at_once = steps.take(~memory.firing[slot])
            _fire(self.turn, memory, at_once.slot, at_once.time, at_once.value)

    def _apply_other(self, steps: Steps) -> None:
        memory, slot = self.memory, steps.slot
        memory.pending.put(slot, FOREVER)
        by_silence = memory.by_silence[slot]
        cleared = memory.firing[slot] & ((steps.verdict == CLEAR) | by_silence)
        self._tell_cleared(steps.take(cleared & by_silence), Cause.HEARD)
        self._tell_cleared(steps.take(cleared & ~by_silence), Cause.CONDITION_ENDED)
        for flags in (memory.firing, memory.silent, memory.by_silence):
            flags[slot[cleared]] = False
        memory.hushed = FORGOTTEN

    def _tell_cleared(self, steps: Steps, cause: Cause) -> None:
        since = self.memory.since[steps.slot]
        self.turn.tell(
            Change.CLEARED, cause, steps.slot, since=since, at=steps.time, value=steps.value
        )

    def _apply_silence(self, steps: Steps) -> None:
        memory = self.memory
        gone = steps.take(steps.until > NO_GAP)
        last = self._value_before(gone.slot, gone.until + 1)
        _say_silent(self.turn, memory, gone.slot, gone.until, last)
        if self.turn.own.rule.no_data is NoData.ALERT:
            own = (gone.verdict == SILENCE) & ~memory.firing[gone.slot]
            raised = gone.take(own)
            _fire_for_silence(
                self.turn, memory, raised.slot, raised.until, since=raised.before, value=last[own]
            )
        memory.pending.put(gone.slot, FOREVER)
        back = steps.take(memory.silent[steps.slot])
        memory.silent[back.slot] = False
        memory.hushed = FORGOTTEN
        self.turn.tell(
            Change.HEARD_AGAIN,
            Cause.HEARD,
            back.slot,
            since=memory.since[back.slot],
            at=back.time,
            value=self._value_before(back.slot, back.time),
        )

    def _value_before(self, slots: I64, times: I64) -> F64:
        return self.judged.last_before(slots, times, self.memory.value[slots])


def _tick_pending(turn: Turn, memory: ThresholdMemory, now: Micros, lasting: Micros) -> None:
    """Fire what has been pending for long enough, where the device was not silent before."""
    waiting = np.flatnonzero(memory.pending.unusual() & ~memory.firing)
    pending = memory.pending[waiting]
    theirs = now - turn.silence.lag[turn.own.devices[waiting]]
    due = (pending <= theirs - lasting) & ~turn.own.away[waiting]
    slot = waiting[due]
    at = pending[due] + lasting
    alive = at <= turn.silence.silent_at(turn.own.devices[slot])
    if alive.any():
        slot = slot[alive]
        _fire(turn, memory, slot, at[alive], memory.value[slot])
        turn.stirred.append(slot)
    memory.earliest = int(pending[~memory.firing[waiting]].min(initial=FOREVER))


def _tick_silence(turn: Turn, memory: ThresholdMemory, now: Micros, slots: I64 | None) -> Micros:
    """Say whose alerts are unknown by `now`, and raise those that are for the silence itself.

    slots: those to look at; None: all · returns before when none of them need be looked at again.
    """
    silence, firing, away = turn.silence, memory.firing, turn.own.away
    if slots is not None and not len(slots):
        return FOREVER
    if slots is None:
        held = (firing & ~(memory.silent | memory.by_silence | away)).nonzero()[0]
    else:
        held = slots[firing.take(slots)]
        if len(held):
            quiet = memory.silent.take(held) | memory.by_silence.take(held) | away.take(held)
            held = held[~quiet]
    soonest = FOREVER
    if len(held):
        device = turn.own.devices.take(held)
        at = silence.silent_at(device)
        due = at < now - silence.lag.take(device)
        soonest = int(at[~due].min(initial=FOREVER))
        _say_silent(turn, memory, held[due], at[due], memory.value[held[due]])
    if turn.own.rule.no_data is NoData.ALERT:
        some = np.arange(len(firing)) if slots is None else slots
        some = some[~(firing.take(some) | away.take(some))]
        soonest = min(soonest, _raise_missed(turn, memory, now, some))
    return soonest


def _raise_missed(turn: Turn, memory: ThresholdMemory, now: Micros, slots: I64) -> Micros:
    """Raise those of these whose device was due to be heard; when the next may be."""
    silence, device = turn.silence, turn.own.devices.take(slots).astype(np.int64)
    at = silence.missed_at(device)
    due = at < now - silence.lag.take(device)
    slot, since = slots[due], silence.said(device[due])
    _fire_for_silence(turn, memory, slot, at[due], since=since, value=memory.value[slot])
    return int(silence.missed_from(device[~due], now).min(initial=FOREVER))


def _fire(turn: Turn, memory: ThresholdMemory, slot: I64, at: I64, value: F64) -> None:
    since = memory.pending[slot]
    memory.firing[slot] = True
    memory.since[slot] = since
    turn.tell(Change.FIRED, Cause.CONDITION_HELD, slot, since=since, at=at, value=value)


def _say_silent(turn: Turn, memory: ThresholdMemory, slot: I64, at: I64, value: F64) -> None:
    """An alert is unknown from the silence on."""
    held = memory.firing[slot] & ~memory.silent[slot] & ~memory.by_silence[slot]
    went = slot[held]
    memory.silent[went] = True
    memory.hushed = FORGOTTEN
    turn.tell(
        Change.WENT_SILENT,
        Cause.SENSOR_SILENT,
        went,
        since=memory.since[went],
        at=at[held],
        value=value[held],
    )


def _fire_for_silence(
    turn: Turn, memory: ThresholdMemory, slot: I64, at: I64, *, since: I64, value: F64
) -> None:
    memory.firing[slot] = True
    memory.by_silence[slot] = True
    memory.since[slot] = since
    turn.tell(Change.FIRED, Cause.SENSOR_SILENT, slot, since=since, at=at, value=value)
