"""Threshold rules: true while `when` holds without a break for `lasting`, until `clear` holds.

Readings of one subject are folded in the order of their time, those of many subjects at once.
Before a reading is applied, its subject's timer is advanced to it, so that what was due by then has
fired, whatever the reading says. A device's silence is a step of its own: it ends what was pending
(after firing what was due before the device counted as silent) and never ends what is firing.

A reading not later than the last one judged of the same device is late and ignored. On a momentary
metric that is so among those only for which `when` holds: a press is not undone by another report
of its device that overtook it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_ID
from devices.reading import F64, I32, I64, Bool
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
    ends_of_silence,
    judge,
    steps_of,
)
from rules.transition import Cause, Change
from rules.turn import Turn


def fold(turn: Turn, memory: ThresholdMemory, rows: Rows) -> None:
    """Judge these rows of the rule's metric, changing `memory` in place and telling transitions."""
    momentary = BY_ID[turn.own.metric].occurs
    judged = judge(turn, memory, _occurring(turn, rows) if momentary else rows)
    away = turn.own.away
    here = judged.take(~away[judged.slot]) if away.any() else judged
    if momentary:
        _tell_occurrences(turn, here)
    else:
        _Fold(turn, memory, here).run()
    memory.judged[judged.slot] = judged.time
    memory.value[judged.slot] = judged.value


def tick(turn: Turn, memory: ThresholdMemory, now: Micros) -> None:
    """Fire what is due by `now` and say who has fallen silent before it; `memory` in place."""
    if BY_ID[turn.own.metric].occurs:
        return
    lasting = cast("Threshold", turn.own.rule.condition).lasting
    if memory.earliest + lasting <= now:
        _tick_pending(turn, memory, now, lasting)
    if memory.quiet < now or turn.hearing.unsettled:
        _tick_silence(turn, memory, now)


def _occurring(turn: Turn, rows: Rows) -> Rows:
    """Those of these rows for which `when` holds."""
    attributes = turn.attributes(turn.hearing.device[rows])
    when = cast("Threshold", turn.own.rule.condition).when
    return rows[when.evaluate(turn.hearing.value[rows], attributes)]


def _tell_occurrences(turn: Turn, judged: Judged) -> None:
    time, value = judged.time, judged.value
    turn.tell(Change.FIRED, Cause.OCCURRED, judged.slot, since=time, at=time, value=value)


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """One fold of one rule; `judged` has no readings of people who are away."""

    turn: Turn
    memory: ThresholdMemory
    judged: Judged

    @property
    def lasting(self) -> Micros:
        return cast("Threshold", self.turn.own.rule.condition).lasting

    def run(self) -> None:
        ends = ends_of_silence(self.turn, self.memory)
        if not len(ends) and self._idle():
            return
        steps = steps_of(self.turn, self.judged, ends)
        before = len(self.turn.said)
        for rows in rounds(steps.slot):
            self._apply(steps.take(rows))
        true = steps.time[steps.verdict == TRUE]
        self.memory.earliest = min(self.memory.earliest, int(true.min(initial=FOREVER)))
        if len(self.turn.said) > before:
            self.memory.quiet = FORGOTTEN

    def _idle(self) -> bool:
        """True where these readings cannot change anything: all is well, as it was."""
        slot, memory = self.judged.slot, self.memory
        restless = self.judged.verdict == TRUE
        restless |= memory.firing[slot] | (memory.pending[slot] != FOREVER)
        return not restless.any()

    def _apply(self, steps: Steps) -> None:
        """One step of each of these slots, which are all different."""
        self._fire_due(steps)
        silence = steps.verdict >= SILENCE
        if silence.any():
            self._apply_silence(steps.take(silence))
        true = steps.verdict == TRUE
        if true.any():
            self._apply_true(steps.take(true))
        other = ~(silence | true)
        if other.any():
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
        if memory.by_silence[slot].any():
            memory.by_silence[slot] = False
            memory.quiet = FORGOTTEN
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
        self.turn.tell(
            Change.HEARD_AGAIN,
            Cause.HEARD,
            back.slot,
            since=memory.since[back.slot],
            at=back.time,
            value=self._value_before(back.slot, back.time),
        )

    def _value_before(self, slots: I32, times: I64) -> F64:
        return self.judged.last_before(slots, times, self.memory.value[slots])


def _tick_pending(turn: Turn, memory: ThresholdMemory, now: Micros, lasting: Micros) -> None:
    """Fire what has been pending for long enough, where the device was not silent before."""
    waiting = np.flatnonzero(memory.pending.unusual() & ~memory.firing).astype(np.int32)
    pending = memory.pending[waiting]
    theirs = now - turn.silence.lag[turn.own.devices[waiting]]
    due = (pending <= theirs - lasting) & ~turn.own.away[waiting]
    slot = waiting[due]
    at = pending[due] + lasting
    alive = at <= turn.silence.silent_at(turn.own.devices[slot])
    if alive.any():
        slot = slot[alive]
        _fire(turn, memory, slot, at[alive], memory.value[slot])
        memory.quiet = FORGOTTEN
    memory.earliest = int(pending[~memory.firing[waiting]].min(initial=FOREVER))


def _tick_silence(turn: Turn, memory: ThresholdMemory, now: Micros) -> None:
    """Say whose alerts are unknown by `now`, and raise those that are for the silence itself."""
    held = memory.firing & ~(memory.silent | memory.by_silence | turn.own.away)
    slot, at, memory.quiet = _due(turn, held, now, turn.silence.silent_at)
    _say_silent(turn, memory, slot, at, memory.value[slot])
    if turn.own.rule.no_data is NoData.ALERT:
        waiting = ~(memory.firing | turn.own.away)
        slot, at, soonest = _due(turn, waiting, now, turn.silence.missed_at)
        memory.quiet = min(memory.quiet, soonest)
        since = turn.silence.said(turn.own.devices[slot])
        _fire_for_silence(turn, memory, slot, at, since=since, value=memory.value[slot])


def _due(
    turn: Turn, which: Bool, now: Micros, moment: Callable[[I32], I64]
) -> tuple[I32, I64, Micros]:
    """Those of these slots whose moment is before `now`, and it; and the soonest of the others."""
    slot = np.flatnonzero(which).astype(np.int32)
    device = turn.own.devices[slot]
    at = moment(device)
    due = at < now - turn.silence.lag[device]
    soonest = int(at[~due].min(initial=FOREVER))
    if len(turn.silence.gateways) and turn.silence.outlive(device).any():
        soonest = FORGOTTEN
    return slot[due], at[due], soonest


def _fire(turn: Turn, memory: ThresholdMemory, slot: I32, at: I64, value: F64) -> None:
    since = memory.pending[slot]
    memory.firing[slot] = True
    memory.since[slot] = since
    turn.tell(Change.FIRED, Cause.CONDITION_HELD, slot, since=since, at=at, value=value)


def _say_silent(turn: Turn, memory: ThresholdMemory, slot: I32, at: I64, value: F64) -> None:
    """An alert is unknown from the silence on."""
    held = memory.firing[slot] & ~memory.silent[slot] & ~memory.by_silence[slot]
    went = slot[held]
    memory.silent[went] = True
    turn.tell(
        Change.WENT_SILENT,
        Cause.SENSOR_SILENT,
        went,
        since=memory.since[went],
        at=at[held],
        value=value[held],
    )


def _fire_for_silence(
    turn: Turn, memory: ThresholdMemory, slot: I32, at: I64, *, since: I64, value: F64
) -> None:
    memory.firing[slot] = True
    memory.by_silence[slot] = True
    memory.since[slot] = since
    turn.tell(Change.FIRED, Cause.SENSOR_SILENT, slot, since=since, at=at, value=value)
