"""Threshold rules: true while `when` holds without a break for `lasting`, until `clear` holds.

Readings of one subject are folded in the order of their time, those of many subjects at once.
Before a reading is applied, its subject's timer is advanced to it, so that what was due by then has
fired, whatever the reading says. A device's silence is a step of its own: it ends what was pending
(after firing what was due before the device counted as silent) and never ends what is firing.

Where the rule is active at some times only, a timer runs from the begin of its active time at the
earliest; an alert may end at any time. With grades, each reading tells a firing alert's colour.

A reading not later than the last one judged of the same device is late and ignored. On a momentary
metric that is so among those only for which `when` holds: a press is not undone by another report
of its device that overtook it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_ID
from devices.reading import F64, I32, I64, Bool
from rules.grading import Ranks, rank_of
from rules.hearing import rounds
from rules.memory import FORGOTTEN, NO_RANK, ThresholdMemory
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
        _tell_occurrences(turn, here.take(turn.own.calendar.is_active(here.time)))
    else:
        _Fold(turn, memory, here).run()
    memory.judged[judged.slot] = judged.time
    memory.value[judged.slot] = judged.value


def tick(turn: Turn, memory: ThresholdMemory, now: Micros) -> None:
    """Fire what is due by `now` and say who has fallen silent before it; `memory` in place."""
    if BY_ID[turn.own.metric].occurs:
        return
    condition = cast("Threshold", turn.own.rule.condition)
    if memory.earliest + condition.lasting <= now:
        _tick_pending(turn, memory, now, condition.lasting)
    if condition.keep and memory.soonest + condition.keep <= now:
        _tick_ending(turn, memory, now, condition.keep)
    if memory.quiet < now or turn.hearing.unsettled:
        _tick_silence(turn, memory, now)


def _occurring(turn: Turn, rows: Rows) -> Rows:
    """Those of these rows for which `when` holds."""
    attributes = turn.attributes(turn.hearing.device[rows])
    when = cast("Threshold", turn.own.rule.condition).when
    return rows[when.evaluate(turn.hearing.value[rows], attributes)]


def _tell_occurrences(turn: Turn, judged: Judged) -> None:
    time, value = judged.time, judged.value
    ranks = turn.ranks(turn.own.devices[judged.slot], value)
    turn.tell(
        Change.FIRED, Cause.OCCURRED, judged.slot, since=time, at=time, value=value, ranks=ranks
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Fold:
    """One fold of one rule; `judged` has no readings of people who are away."""

    turn: Turn
    memory: ThresholdMemory
    judged: Judged

    @property
    def condition(self) -> Threshold:
        return cast("Threshold", self.turn.own.rule.condition)

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
        clear = steps.time[steps.verdict == CLEAR]
        self.memory.soonest = min(self.memory.soonest, int(clear.min(initial=FOREVER)))
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
        self._end_due(steps)
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
        at = self.turn.own.calendar.due(memory.pending[slot], self.condition.lasting)
        due = (at <= steps.until) & ~memory.firing[slot]
        if due.any():
            slot, at = slot[due], at[due]
            _fire(self.turn, memory, slot, at, self._value_before(slot, at))

    def _end_due(self, steps: Steps) -> None:
        memory, slot, keep = self.memory, steps.slot, self.condition.keep
        due = memory.firing[slot] & (memory.ending[slot] <= steps.until - keep)
        if keep and due.any():
            slot = slot[due]
            at = memory.ending[slot] + keep
            _end(self.turn, memory, slot, at, self._value_before(slot, at))

    def _apply_true(self, steps: Steps) -> None:
        memory, slot = self.memory, steps.slot
        if memory.by_silence[slot].any():
            memory.by_silence[slot] = False
            memory.quiet = FORGOTTEN
        memory.pending[slot] = np.minimum(memory.pending[slot], steps.time)
        self._goes_on(steps)
        at = self.turn.own.calendar.due(memory.pending[slot], self.condition.lasting)
        at_once = ~memory.firing[slot] & (at <= steps.time)
        now = steps.take(at_once)
        _fire(self.turn, memory, now.slot, at[at_once], now.value)

    def _goes_on(self, steps: Steps) -> None:
        """The alerts of these are not about to end; their colours are those of the readings."""
        memory, slot = self.memory, steps.slot
        memory.ending.put(slot, FOREVER)
        memory.lapsed[slot] = False
        self._grade(steps)

    def _grade(self, steps: Steps) -> None:
        graded = steps.take(self.memory.firing[steps.slot])
        ranks = self.turn.ranks(self.turn.own.devices[graded.slot], graded.value)
        if ranks is not None:
            changed = ranks != _ranks(self.turn, self.memory, graded.slot)
            self._tell_graded(graded.take(changed), ranks[changed])

    def _tell_graded(self, steps: Steps, ranks: Ranks) -> None:
        memory, slot = self.memory, steps.slot
        memory.rank.put(slot, ranks)
        self.turn.tell(
            Change.GRADED,
            Cause.VALUE_CHANGED,
            slot,
            since=memory.since[slot],
            at=steps.time,
            value=steps.value,
            ranks=ranks,
        )

    def _apply_other(self, steps: Steps) -> None:
        memory, slot = self.memory, steps.slot
        memory.pending.put(slot, FOREVER)
        firing = memory.firing[slot]
        unheard = firing & (memory.by_silence[slot] | memory.lapsed[slot])
        self._end_at(steps.take(unheard), Cause.HEARD)
        ends = firing & ~unheard & (steps.verdict == CLEAR)
        if self.condition.keep:
            memory.ending.put(slot[ends], np.minimum(memory.ending[slot[ends]], steps.time[ends]))
            self._grade(steps.take(ends))
        else:
            self._end_at(steps.take(ends), Cause.CONDITION_ENDED)
        self._goes_on(steps.take(firing & (steps.verdict != CLEAR)))

    def _end_at(self, steps: Steps, cause: Cause) -> None:
        _end(self.turn, self.memory, steps.slot, steps.time, steps.value, cause)

    def _apply_silence(self, steps: Steps) -> None:
        memory = self.memory
        gone = steps.take(steps.until > NO_GAP)
        last = self._value_before(gone.slot, gone.until + 1)
        _say_silent(self.turn, memory, gone.slot, gone.until, last)
        if self.turn.own.rule.no_data is NoData.ALERT:
            at = self.turn.own.calendar.due(gone.until, 0)
            own = (gone.verdict == SILENCE) & ~memory.firing[gone.slot] & (at < gone.time)
            raised = gone.take(own)
            _fire_for_silence(
                self.turn, memory, raised.slot, at[own], since=raised.before, value=last[own]
            )
        memory.pending.put(gone.slot, FOREVER)
        memory.ending.put(gone.slot, FOREVER)
        if self.turn.own.rule.no_data is NoData.CLEAR:
            memory.lapsed[gone.slot] = memory.firing[gone.slot]
        back = steps.take(memory.silent[steps.slot])
        memory.silent[back.slot] = False
        self.turn.tell(
            Change.HEARD_AGAIN,
            Cause.HEARD,
            back.slot,
            since=memory.since[back.slot],
            at=back.time,
            value=self._value_before(back.slot, back.time),
            ranks=_ranks(self.turn, memory, back.slot),
        )

    def _value_before(self, slots: I32, times: I64) -> F64:
        return self.judged.last_before(slots, times, self.memory.value[slots])


def _tick_pending(turn: Turn, memory: ThresholdMemory, now: Micros, lasting: Micros) -> None:
    """Fire what has been pending for long enough, where the device was not silent before."""
    waiting = np.flatnonzero(memory.pending.unusual() & ~memory.firing).astype(np.int32)
    at = turn.own.calendar.due(memory.pending[waiting], lasting)
    slot, moments = _heard_to(turn, waiting, at, now)
    if len(slot):
        _fire(turn, memory, slot, moments, memory.value[slot])
        memory.quiet = FORGOTTEN
    memory.earliest = int(at[~memory.firing[waiting]].min(initial=FOREVER)) - lasting


def _tick_ending(turn: Turn, memory: ThresholdMemory, now: Micros, keep: Micros) -> None:
    """End what has been about to end for long enough, where the device was not silent before."""
    waiting = np.flatnonzero(memory.ending.unusual() & memory.firing).astype(np.int32)
    at = memory.ending[waiting] + keep
    slot, moments = _heard_to(turn, waiting, at, now)
    if len(slot):
        _end(turn, memory, slot, moments, memory.value[slot])
        memory.quiet = FORGOTTEN
    memory.soonest = int(at[memory.firing[waiting]].min(initial=FOREVER)) - keep


def _heard_to(turn: Turn, slot: I32, at: I64, now: Micros) -> tuple[I32, I64]:
    """Those of these slots whose moment has come by `now`, their devices heard until then."""
    devices = turn.own.devices[slot]
    due = (at <= now - turn.silence.lag[devices]) & ~turn.own.away[slot]
    slot, at = slot[due], at[due]
    alive = at <= turn.silence.silent_at(devices[due])
    return slot[alive], at[alive]


def _tick_silence(turn: Turn, memory: ThresholdMemory, now: Micros) -> None:
    """Say whose alerts are unknown by `now`, and raise those that are for the silence itself."""
    held = memory.firing & ~(memory.silent | memory.by_silence | turn.own.away)
    slot, at, memory.quiet = _due(turn, held, now, turn.silence.silent_at)
    _say_silent(turn, memory, slot, at, memory.value[slot])
    if turn.own.rule.no_data is NoData.ALERT:
        waiting = ~(memory.firing | turn.own.away)
        slot, at, soonest = _due(turn, waiting, now, partial(_raised_at, turn))
        memory.quiet = min(memory.quiet, soonest, _next_silence(turn, waiting, now))
        since = turn.silence.said(turn.own.devices[slot])
        _fire_for_silence(turn, memory, slot, at, since=since, value=memory.value[slot])


def _next_silence(turn: Turn, which: Bool, now: Micros) -> Micros:
    """When the next of these falls silent, also where it is its gateway's fault.

    Both may be heard before then, and what each is late by may change whose fault it will be.
    """
    devices = turn.own.devices[which]
    at = turn.silence.silent_at(devices)
    return int(at[at >= now - turn.silence.lag[devices]].min(initial=FOREVER))


def _raised_at(turn: Turn, devices: I32) -> I64:
    """When each device's silence is told of, unless it is heard before."""
    return turn.own.calendar.due(turn.silence.missed_at(devices), 0)


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
    ranks = turn.ranks(turn.own.devices[slot], value)
    if ranks is not None:
        memory.rank.put(slot, ranks)
    turn.tell(
        Change.FIRED, Cause.CONDITION_HELD, slot, since=since, at=at, value=value, ranks=ranks
    )


def _end(  # noqa: PLR0917 - whose alert, when, by what, why
    turn: Turn,
    memory: ThresholdMemory,
    slot: I32,
    at: I64,
    value: F64,
    cause: Cause = Cause.CONDITION_ENDED,
) -> None:
    """These alerts are over."""
    since, ranks = memory.since[slot], _ranks(turn, memory, slot)
    turn.tell(Change.CLEARED, cause, slot, since=since, at=at, value=value, ranks=ranks)
    for flags in (memory.firing, memory.silent, memory.by_silence, memory.lapsed):
        flags[slot] = False
    memory.ending.put(slot, FOREVER)


def _ranks(turn: Turn, memory: ThresholdMemory, slot: I32) -> Ranks | None:
    """Of the colours that these alerts have."""
    if not turn.own.rule.grades:
        return None
    ranks = memory.rank[slot]
    return np.where(ranks == NO_RANK, rank_of(turn.own.rule), ranks).astype(np.int8)


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
        ranks=_ranks(turn, memory, went),
    )


def _fire_for_silence(
    turn: Turn, memory: ThresholdMemory, slot: I32, at: I64, *, since: I64, value: F64
) -> None:
    memory.firing[slot] = True
    memory.by_silence[slot] = True
    memory.since[slot] = since
    memory.rank.put(slot, NO_RANK)
    turn.tell(Change.FIRED, Cause.SENSOR_SILENT, slot, since=since, at=at, value=value)
