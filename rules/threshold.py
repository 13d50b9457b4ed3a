"""Threshold rules: true while `when` holds without a break for `lasting`, until `clear` holds.

Readings of one subject are folded in the order of their time, those of many subjects at once.
Before a reading is applied, its subject's timer is advanced to it, so that what was due by then has
fired, whatever the reading says. A device's silence is a step of its own: it ends what was pending
(after firing what was due before the device counted as silent) and never ends what is firing.

Where the rule is active at some times only, a timer runs from the begin of its active time at the
earliest; an alert may end at any time. With grades, each reading tells a firing alert's colour.

A reading not later than the last one judged of the same device is late and ignored. One not later
than the moment at which the device was last heard ends no silence: it neither clears an alert that
stands for silence alone, or that a silence let lapse, nor makes it an ordinary one. On a momentary
metric that is so among those only for which `when` holds: a press is not undone by another report
of its device that overtook it.
"""

from dataclasses import dataclass
from typing import cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_ID
from devices.reading import F64, I64, Bool
from rules.grading import NO_RANK, Ranks, rank_of
from rules.hearing import rounds
from rules.memory import ThresholdMemory
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
        judged = occurrences(turn, memory)
        memory.judged[judged.slot] = judged.time
        _tell_occurrences(turn, judged.take(~turn.own.away.take(judged.slot)))
        return
    heeded = heed(turn, memory)
    if len(heeded.stirring.slot) or len(heeded.ends):
        _Fold(turn, memory, heeded.stirring, heeded.ends).run()
    if len(heeded.slot):
        slot = heeded.slot
        turn.hold(slot[memory.firing.take(slot) | memory.pending.unusual(slot)])


def tick(turn: Turn, memory: ThresholdMemory, now: Micros) -> None:
    """Fire what is due by `now` and say who has fallen silent before it; `memory` in place."""
    if BY_ID[turn.own.metric].occurs:
        return
    condition = cast("Threshold", turn.own.rule.condition)
    if memory.earliest + condition.lasting <= now:
        _tick_pending(turn, memory, now, condition.lasting)
    if condition.keep and memory.soonest + condition.keep <= now:
        _tick_ending(turn, memory, now, condition.keep)
    if memory.quiet < now:
        memory.quiet = _tick_silence(turn, memory, now, None)
    elif turn.stirred or (turn.unsettled and turn.hearing.unsettled):
        soonest = _tick_silence(turn, memory, now, _stirred(turn))
        memory.quiet = min(memory.quiet, soonest)


def _stirred(turn: Turn) -> I64:
    """Slots, ascending, of which something may have changed, or whose devices' silence did."""
    slots = [*turn.stirred]
    if turn.unsettled and turn.hearing.unsettled:
        mine = turn.own.slot[turn.hearing.moved]
        slots.append(mine[mine >= 0].astype(np.int64))
    every = np.sort(np.concatenate(slots))
    new = np.ones(len(every), np.bool_)
    new[1:] = every[1:] != every[:-1]
    return every[new]


def _tell_occurrences(turn: Turn, judged: Judged) -> None:
    if not len(judged.slot):
        return
    judged = judged.take(turn.own.calendar.is_active(judged.time))
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
    ends: Rows

    @property
    def condition(self) -> Threshold:
        return cast("Threshold", self.turn.own.rule.condition)

    def run(self) -> None:
        steps, memory = steps_of(self.turn, self.memory, self.judged, self.ends), self.memory
        for rows in rounds(steps.slot):
            self._apply(steps.take(rows) if len(rows) < len(steps.slot) else steps)
        waits = (steps.verdict == TRUE) & ~memory.firing.take(steps.slot)
        memory.earliest = min(memory.earliest, int(steps.time[waits].min(initial=FOREVER)))
        if self.condition.keep:
            clear = steps.time[steps.verdict == CLEAR]
            memory.soonest = min(memory.soonest, int(clear.min(initial=FOREVER)))
        self.turn.stirred.append(steps.slot)

    def _late(self, steps: Steps) -> Bool:
        """Readings that come late to a silence that was told of, and do not end it.

        They say how it was when the device was last heard before, or earlier.
        """
        known = self.memory.by_silence.take(steps.slot)
        known &= steps.verdict < SILENCE
        if np.count_nonzero(known):
            known &= steps.time <= self.memory.since[steps.slot]
        if self.turn.own.rule.no_data is NoData.CLEAR:
            known |= (steps.verdict < SILENCE) & (steps.time <= self.memory.judged[steps.slot])
        return known

    def _apply(self, steps: Steps) -> None:
        """One step of each of these slots, which are all different."""
        late = self._late(steps)
        if np.count_nonzero(late):
            steps = steps.take(~late)
        self._fire_due(steps)
        self._end_due(steps)
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
        if not (self.condition.lasting or self.turn.own.calendar.active):
            return
        at = self.turn.own.calendar.due(memory.pending[slot], self.condition.lasting)
        due = (at <= steps.until) & ~memory.firing[slot]
        if due.any():
            slot, at = slot[due], at[due]
            _fire(self.turn, memory, slot, at, self._value_before(slot, at))

    def _end_due(self, steps: Steps) -> None:
        memory, slot, keep = self.memory, steps.slot, self.condition.keep
        if not keep:
            return
        due = memory.firing[slot] & (memory.ending[slot] <= steps.until - keep)
        if due.any():
            slot = slot[due]
            at = memory.ending[slot] + keep
            _end(self.turn, memory, slot, at, self._value_before(slot, at))

    def _apply_true(self, steps: Steps) -> None:
        memory, slot = self.memory, steps.slot
        memory.by_silence[slot] = False
        pending = np.minimum(memory.pending[slot], steps.time)
        memory.pending.put(slot, pending)
        self._goes_on(steps)
        if self.condition.lasting:
            return
        at = self.turn.own.calendar.due(pending, self.condition.lasting)
        at_once = ~memory.firing.take(slot) & (at <= steps.time)
        if np.count_nonzero(at_once):
            now = steps.take(at_once)
            _fire(self.turn, memory, now.slot, at[at_once], now.value)

    def _goes_on(self, steps: Steps) -> None:
        """The alerts of these are not about to end; their colours are those of the readings."""
        memory, slot = self.memory, steps.slot
        if self.condition.keep:
            memory.ending.put(slot, FOREVER)
        memory.lapsed[slot] = False
        if self.turn.own.rule.grades:
            self._grade(steps)

    def _grade(self, steps: Steps) -> None:
        graded = steps.take(self.memory.firing[steps.slot])
        ranks = self.turn.ranks(self.turn.own.devices[graded.slot], graded.value)
        if ranks is not None:
            changed = ranks != _ranks(self.turn, self.memory, graded.slot)
            self._tell_graded(graded.take(changed), ranks[changed])

    def _tell_graded(self, steps: Steps, ranks: Ranks) -> None:
        memory, slot = self.memory, steps.slot
        was = _ranks(self.turn, memory, slot)
        memory.rank.put(slot, ranks)
        self.turn.tell(
            Change.GRADED,
            Cause.VALUE_CHANGED,
            slot,
            since=memory.since[slot],
            at=steps.time,
            value=steps.value,
            ranks=ranks,
            was=was,
        )

    def _apply_other(self, steps: Steps) -> None:
        memory = self.memory
        memory.pending.put(steps.slot, FOREVER)
        firing = memory.firing.take(steps.slot)
        if not np.count_nonzero(firing):
            return
        if np.count_nonzero(firing) < len(firing):
            steps = steps.take(firing)
        unheard = memory.by_silence.take(steps.slot) | memory.lapsed.take(steps.slot)
        clear = (steps.verdict == CLEAR) & ~unheard
        stays = ~(clear | unheard) & (steps.verdict != CLEAR)
        if np.count_nonzero(unheard):
            self._end_at(steps.take(unheard), Cause.HEARD)
        if np.count_nonzero(clear):
            self._ends(steps.take(clear))
        if np.count_nonzero(stays):
            self._goes_on(steps.take(stays))

    def _ends(self, steps: Steps) -> None:
        """What ends the alerts of these holds."""
        if not self.condition.keep:
            self._end_at(steps, Cause.CONDITION_ENDED)
            return
        ending = self.memory.ending
        ending.put(steps.slot, np.minimum(ending[steps.slot], steps.time))
        if self.turn.own.rule.grades:
            self._grade(steps)

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
            self._lapse(gone)
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

    def _lapse(self, gone: Steps) -> None:
        """These alerts do not outlive the silence; what was said before it does not end them."""
        memory, lapsed = self.memory, gone.take(self.memory.firing[gone.slot])
        memory.lapsed[gone.slot] = memory.firing[gone.slot]
        judged = memory.judged[lapsed.slot]
        memory.judged.put(lapsed.slot, np.maximum(judged, lapsed.before))

    def _value_before(self, slots: I64, times: I64) -> F64:
        return self.judged.last_before(slots, times, self.turn.newest_values(slots))


def _tick_pending(turn: Turn, memory: ThresholdMemory, now: Micros, lasting: Micros) -> None:
    """Fire what has been pending for long enough, where the device was not silent before."""
    waiting = np.flatnonzero(memory.pending.unusual() & ~memory.firing)
    at = turn.own.calendar.due(memory.pending[waiting], lasting)
    slot, moments = _heard_to(turn, waiting, at, now)
    if len(slot):
        _fire(turn, memory, slot, moments, turn.newest_values(slot))
        turn.stirred.append(slot)
    memory.earliest = int(at[~memory.firing[waiting]].min(initial=FOREVER)) - lasting


def _tick_ending(turn: Turn, memory: ThresholdMemory, now: Micros, keep: Micros) -> None:
    """End what has been about to end for long enough, where the device was not silent before."""
    waiting = np.flatnonzero(memory.ending.unusual() & memory.firing)
    at = memory.ending[waiting] + keep
    slot, moments = _heard_to(turn, waiting, at, now)
    if len(slot):
        _end(turn, memory, slot, moments, turn.newest_values(slot))
        turn.stirred.append(slot)
    memory.soonest = int(at[memory.firing[waiting]].min(initial=FOREVER)) - keep


def _heard_to(turn: Turn, slot: I64, at: I64, now: Micros) -> tuple[I64, I64]:
    """Those of these slots whose moment has come by `now`, their devices heard until then."""
    devices = turn.own.devices[slot]
    due = (at <= now - turn.silence.lag[devices]) & ~turn.own.away[slot]
    slot, at = slot[due], at[due]
    alive = at <= turn.silence.silent_at(devices[due])
    return slot[alive], at[alive]


def _tick_silence(turn: Turn, memory: ThresholdMemory, now: Micros, slots: I64 | None) -> Micros:
    """Say whose alerts are unknown by `now`, and raise those that are for the silence itself.

    slots: those to look at; None: all · returns before when none of them need be looked at again.
    """
    firing, away = memory.firing, turn.own.away
    if slots is not None and not len(slots):
        return FOREVER
    if slots is None:
        held = (firing & ~(memory.silent | memory.by_silence | away)).nonzero()[0]
    else:
        held = slots[firing.take(slots)]
        if len(held):
            quiet = memory.silent.take(held) | memory.by_silence.take(held) | away.take(held)
            held = held[~quiet]
    soonest = _say_unknown(turn, memory, now, held) if len(held) else FOREVER
    if turn.own.rule.no_data is NoData.ALERT:
        some = np.arange(len(firing)) if slots is None else slots
        some = some[~(firing.take(some) | away.take(some))]
        soonest = min(soonest, _raise_missed(turn, memory, now, some))
    return soonest


def _say_unknown(turn: Turn, memory: ThresholdMemory, now: Micros, slots: I64) -> Micros:
    """Say which of these alerts are unknown; when the next may be."""
    silence, device = turn.silence, turn.own.devices.take(slots)
    at = silence.silent_at(device)
    due = at < now - silence.lag.take(device)
    _say_silent(turn, memory, slots[due], at[due], turn.newest_values(slots[due]))
    return int(at[~due].min(initial=FOREVER))


def _raise_missed(turn: Turn, memory: ThresholdMemory, now: Micros, slots: I64) -> Micros:
    """Raise those of these whose device was due to be heard; when the next may be."""
    silence, device = turn.silence, turn.own.devices.take(slots).astype(np.int64)
    calendar = turn.own.calendar
    at = calendar.due(silence.missed_at(device), 0)
    due = at < now - silence.lag.take(device)
    slot, since = slots[due], silence.said(device[due])
    _fire_for_silence(turn, memory, slot, at[due], since=since, value=turn.newest_values(slot))
    next_at = calendar.due(silence.missed_from(device[~due], now), 0)
    return int(next_at.min(initial=FOREVER))


def _fire(turn: Turn, memory: ThresholdMemory, slot: I64, at: I64, value: F64) -> None:
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
    slot: I64,
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


def _ranks(turn: Turn, memory: ThresholdMemory, slot: I64) -> Ranks | None:
    """Of the colours that these alerts have."""
    if not turn.own.rule.grades:
        return None
    ranks = memory.rank[slot]
    return np.where(ranks == NO_RANK, rank_of(turn.own.rule), ranks).astype(np.int8)


def _say_silent(turn: Turn, memory: ThresholdMemory, slot: I64, at: I64, value: F64) -> None:
    """An alert is unknown from the silence on."""
    held = memory.firing[slot] & ~memory.silent[slot] & ~memory.by_silence[slot]
    went = slot[held]
    memory.silent[went] = True
    turn.newest.astir.silent[turn.own.devices.take(went)] = True
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
    turn: Turn, memory: ThresholdMemory, slot: I64, at: I64, *, since: I64, value: F64
) -> None:
    memory.firing[slot] = True
    memory.by_silence[slot] = True
    memory.since[slot] = since
    memory.rank.put(slot, NO_RANK)
    turn.hold(slot)
    turn.tell(Change.FIRED, Cause.SENSOR_SILENT, slot, since=since, at=at, value=value)
