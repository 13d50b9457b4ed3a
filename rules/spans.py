"""Numbers worked out from readings, judged: true for how long, clear for how long, or unknown.

Kinds that watch a derived number of a subject (a total, a share, a mean) say what it is at which
moment, as points; here those become spans, as of a threshold: true while `when` holds without a
break for `lasting`, until `clear` holds without a break for `keep`. A number that cannot be known
ends what was pending and never ends what is firing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import F64, I64, Bool
from rules.grading import NO_RANK, Ranks, rank_of
from rules.hearing import rounds
from rules.model import Judging, NoData
from rules.silence import Rows
from rules.sparse import Column, Sparse
from rules.transition import Cause, Change
from rules.tree import Values
from rules.turn import Slots, Turn

UNKNOWN, UNDECIDED, CLEAR, TRUE = 0, 1, 2, 3
"""What a point says: nothing; neither `when` nor `clear` holds; `clear` does; `when` does."""

FORGOTTEN: Micros = NEVER
"""Of a lower bound of the next moment at which a timer could matter: look."""


Verdicts: TypeAlias = npt.NDArray[np.int8]
Causes: TypeAlias = Callable[[Slots, I64], list[tuple[int, ...]]]
"""The devices that caused what is told of these slots at these times."""


@dataclass(slots=True, eq=False, kw_only=True)
class SpanMemory:
    """All (n,); times in µs since the epoch.

    heard: time of the last point, NEVER before the first · value: the last number known, NaN before
    pending: since when `when` holds without a break, calm: since when a firing span is clear
    without a break, FOREVER where not · firing · since: when the firing span began · silent:
    WENT_SILENT was said · by_silence: fires for silence alone, or will when the rule is active if
    that is pending · lapsed: it does not outlive the silence that began since · rank: of the colour
    of the alert, or of the last number if there is none.
    """

    heard: Sparse[np.int64]
    value: Sparse[np.float64]
    pending: Sparse[np.int64]
    calm: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    silent: Bool
    by_silence: Bool
    lapsed: Bool
    rank: Sparse[np.int32]
    earliest: Micros = FORGOTTEN


def fresh_spans(n: int) -> dict[str, Column]:
    """The columns of a `SpanMemory` of n subjects of which nothing is known yet."""
    never, forever = np.int64(NEVER), np.int64(FOREVER)
    return {
        "heard": Sparse(n, never),
        "value": Sparse(n, np.float64(np.nan)),
        "pending": Sparse(n, forever),
        "calm": Sparse(n, forever),
        "firing": np.zeros(n, np.bool_),
        "since": Sparse(n, never),
        "silent": np.zeros(n, np.bool_),
        "by_silence": np.zeros(n, np.bool_),
        "lapsed": np.zeros(n, np.bool_),
        "rank": Sparse(n, NO_RANK),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What a number is from each moment on, (k,) each.

    value: told to people; NaN where unknown · rank: of its colour (`Turn.ranks_by`), None where all
    are alike.
    """

    slot: Slots
    time: I64
    value: F64
    verdict: Verdicts
    rank: Ranks | None = None

    def take(self, rows: Rows | Bool) -> "Points":
        """These of them."""
        return Points(
            self.slot[rows],
            self.time[rows],
            self.value[rows],
            self.verdict[rows],
            None if self.rank is None else self.rank[rows],
        )


def joined(one: Points, other: Points) -> Points:
    """Both, one after the other; what has no colour of its own has that of no grade."""
    rank = None
    if one.rank is not None or other.rank is not None:
        ranks = [np.full(len(p.slot), NO_RANK) if p.rank is None else p.rank for p in (one, other)]
        rank = np.concatenate(ranks).astype(np.int8)
    return Points(
        np.concatenate([one.slot, other.slot]),
        np.concatenate([one.time, other.time]),
        np.concatenate([one.value, other.value]),
        np.concatenate([one.verdict, other.verdict]),
        rank,
    )


def verdicts(how: Judging, values: Values, known: Bool) -> Verdicts:
    """What these numbers (n,) say; known: bool (n,), False where they are not to be judged."""
    true, false = how.when.judge(values, {})
    clear = how.clear.evaluate(values, {}) if how.clear else false
    said = np.where(true, TRUE, np.where(clear, CLEAR, UNDECIDED))
    return np.where(known, said, UNKNOWN).astype(np.int8)


def fold(
    turn: Turn, memory: SpanMemory, points: Points, how: Judging, causes: Causes | None = None
) -> None:
    """Judge points in any order; `memory` is changed in place. Of one instant the last counts.

    A point before the subject's last one is taken as of that. causes: by default all devices.
    """
    if not len(points.slot):
        return
    points = _in_order(points, memory)
    here = points.take(_lively(turn, memory, points))
    if turn.own.rule.no_data is NoData.CLEAR:
        here = here.take(~_before_silence(memory, here))
    folding = _Folding(turn, memory, here.take(here.verdict != UNKNOWN), how, causes)
    for rows in rounds((steps := here.take(_matters(here))).slot):
        folding.apply(steps.take(rows))
    last = _ends(points.slot)
    slots = points.slot[last]
    memory.heard[slots] = points.time[last]
    known = points.take(points.verdict != UNKNOWN)
    last = _ends(known.slot)
    memory.value[known.slot[last]] = known.value[last]
    memory.earliest = min(memory.earliest, _soonest(turn, memory, slots, how))


def _lively(turn: Turn, memory: SpanMemory, points: Points) -> Bool:
    """The points of slots in which anything may change: all is not well, or was not."""
    slot = points.slot
    lively: Bool = (
        (points.verdict == TRUE) | memory.firing[slot] | (memory.pending[slot] != FOREVER)
    )
    if turn.own.rule.no_data is NoData.ALERT:
        lively |= (points.verdict == UNKNOWN) | (points.rank is not None)
    lively &= ~turn.own.away[slot]
    if not lively.any():
        return lively
    which: Bool = np.zeros(len(turn.own.away), np.bool_)
    which[slot[lively]] = True
    around: Bool = which[slot]
    return around


def _before_silence(memory: SpanMemory, points: Points) -> Bool:
    """Numbers that come late to a silence that let an alert lapse: they do not end it."""
    late: Bool = points.time <= memory.heard[points.slot]
    late &= memory.lapsed[points.slot] & (points.verdict != UNKNOWN)
    return late


def tick(
    turn: Turn,
    memory: SpanMemory,
    now: Micros,
    how: Judging,
    causes: Causes | None = None,
    *,
    waits: bool = True,
) -> None:
    """Fire and clear what is due by `now`; `memory` is changed in place.

    waits: for devices that are behind.
    """
    if memory.earliest > now:
        return
    waiting = memory.pending.unusual() & ~memory.firing | memory.calm.unusual() & memory.firing
    slot = np.flatnonzero(waiting & ~turn.own.away).astype(np.int32)
    theirs = now - (turn.lag(slot) if waits else np.zeros(len(slot), np.int64))
    _Folding(turn, memory, None, how, causes).due(slot, theirs)
    memory.earliest = _soonest(turn, memory, slot, how)


def _soonest(turn: Turn, memory: SpanMemory, slot: Slots, how: Judging) -> Micros:
    firing = memory.firing[slot]
    calm = memory.calm[slot][firing]
    fires = int(_due(turn, memory, slot[~firing], how).min(initial=FOREVER))
    return min(fires, int(calm.min(initial=FOREVER - how.keep)) + how.keep)


def _missed(memory: SpanMemory, slot: Slots) -> Bool:
    """Whose number is unknown, which is to be told when the rule is active."""
    missed: Bool = memory.by_silence[slot] & ~memory.firing[slot]
    return missed & (memory.pending[slot] != FOREVER) if missed.any() else missed


def _due(turn: Turn, memory: SpanMemory, slot: Slots, how: Judging) -> I64:
    """When what is pending at each of these is to be told: for silence alone, at once."""
    pending = memory.pending[slot]
    due = turn.own.calendar.due(pending, how.lasting)
    if how.lasting and (missed := _missed(memory, slot)).any():
        due[missed] = turn.own.calendar.due(pending[missed], 0)
    return due


def _in_order(points: Points, memory: SpanMemory) -> Points:
    time = np.maximum(points.time, memory.heard[points.slot])
    order = np.lexsort((time, points.slot))
    points = Points(points.slot, time, points.value, points.verdict, points.rank).take(order)
    same = (np.diff(points.slot) == 0) & (np.diff(points.time) == 0)
    return points.take(~np.append(same, False)) if same.any() else points


def _ends(slot: Slots) -> Rows:
    """The last row of each run."""
    last = np.ones(len(slot), np.bool_)
    last[:-1] = slot[1:] != slot[:-1]
    return np.flatnonzero(last)


def _matters(points: Points) -> Bool:
    """The first and last of each slot, and where something else is said than just before."""
    matters = np.ones(len(points.slot), np.bool_)
    other = points.slot[1:] != points.slot[:-1]
    matters[1:] = other | (points.verdict[1:] != points.verdict[:-1])
    if points.rank is not None:
        matters[1:] |= points.rank[1:] != points.rank[:-1]
    matters[:-1] |= other
    matters[-1:] = True
    return matters


@dataclass(frozen=True, slots=True, eq=False)
class _Folding:
    """known: the numbers of this fold by slot and time, to look them up; None at a tick."""

    turn: Turn
    memory: SpanMemory
    known: Points | None
    how: Judging
    causes: Causes | None

    def apply(self, steps: Points) -> None:
        """One step of each of these slots, which are all different."""
        self.due(steps.slot, steps.time)
        unknown = steps.verdict == UNKNOWN
        if unknown.any():
            self._unknown(steps.take(unknown))
        if not unknown.all():
            known = steps.take(~unknown)
            self._known(known.slot)
            self._heard_again(known)
            self._colour(known)
            true = known.verdict == TRUE
            self._true(known.take(true))
            self._other(known.take(~true))
            self._grade(known)

    def due(self, slot: Slots, until: I64) -> None:
        """Fire and clear what has lasted for long enough by these moments."""
        memory, how = self.memory, self.how
        firing, missed = memory.firing[slot], _missed(memory, slot)
        due = _due(self.turn, memory, slot, how)
        fires = ~firing & ~missed & (due <= until)
        if missed.any():
            late = missed & (due < until)
            self._raise(slot[late], due[late])
        clears = firing & (memory.calm[slot] <= until - how.keep)
        if fires.any():
            ready, at = slot[fires], due[fires]
            self._fire(ready, memory.pending[ready], at, self._before(ready, at))
        if clears.any():
            ready = slot[clears]
            at = memory.calm[ready] + how.keep
            self._clear(ready, at, self._before(ready, at), Cause.CONDITION_ENDED)

    def _known(self, slot: Slots) -> None:
        """No silence is to be told any more."""
        missed = slot[_missed(self.memory, slot)]
        self.memory.pending.put(missed, FOREVER)
        self.memory.by_silence[missed] = False

    def _true(self, steps: Points) -> None:
        memory, slot = self.memory, steps.slot
        memory.by_silence[slot] = memory.lapsed[slot] = False
        memory.calm.put(slot, FOREVER)
        memory.pending[slot] = np.minimum(memory.pending[slot], steps.time)
        due = self.turn.own.calendar.due(memory.pending[slot], self.how.lasting)
        at_once = ~memory.firing[slot] & (due <= steps.time)
        new = steps.take(at_once)
        self._fire(new.slot, memory.pending[new.slot], due[at_once], new.value)

    def _colour(self, steps: Points) -> None:
        """The colours of alerts that may fire by these numbers, at once or later."""
        if steps.rank is not None:
            calm = ~self.memory.firing[steps.slot]
            self.memory.rank.put(steps.slot[calm], steps.rank[calm])

    def _grade(self, steps: Points) -> None:
        """The colours that the numbers have, told where an alert still stands."""
        if steps.rank is None:
            return
        memory, was = self.memory, self._ranks(steps.slot)
        changed = memory.firing[steps.slot] & (was != steps.rank)
        memory.rank.put(steps.slot, steps.rank)
        new = steps.take(changed)
        since, cause = memory.since[new.slot], Cause.VALUE_CHANGED
        self._tell(Change.GRADED, cause, new.slot, since, new.time, new.value, was[changed])

    def _other(self, steps: Points) -> None:
        memory, slot = self.memory, steps.slot
        memory.pending.put(slot, FOREVER)
        firing, over = memory.firing[slot], memory.by_silence[slot] | memory.lapsed[slot]
        back = steps.take(firing & over)
        self._clear(back.slot, back.time, back.value, Cause.HEARD)
        ending = steps.take(firing & ~over & (steps.verdict == CLEAR))
        memory.calm[ending.slot] = np.minimum(memory.calm[ending.slot], ending.time)
        if self.how.keep == 0:
            self._clear(ending.slot, ending.time, ending.value, Cause.CONDITION_ENDED)
        memory.calm.put(slot[steps.verdict == UNDECIDED], FOREVER)

    def _unknown(self, steps: Points) -> None:
        memory, no_data = self.memory, self.turn.own.rule.no_data
        steps = steps.take(~_missed(memory, steps.slot))
        slot = steps.slot
        memory.pending.put(slot, FOREVER)
        memory.calm.put(slot, FOREVER)
        went = steps.take(memory.firing[slot] & ~memory.silent[slot] & ~memory.by_silence[slot])
        memory.silent[went.slot] = True
        last, since = self._before(went.slot, went.time), memory.since[went.slot]
        self._tell(Change.WENT_SILENT, Cause.SENSOR_SILENT, went.slot, since, went.time, last)
        if no_data is NoData.CLEAR:
            memory.lapsed[slot] = memory.firing[slot]
        if no_data is NoData.ALERT:
            new = steps.take(~memory.firing[slot])
            memory.by_silence[new.slot] = True
            memory.pending[new.slot] = new.time
            active = self.turn.own.calendar.is_active(new.time)
            self._raise(new.slot[active], new.time[active])

    def _raise(self, slot: Slots, at: I64) -> None:
        """Tell that nothing is known of these since what is pending there."""
        memory, since, last = self.memory, self.memory.pending[slot], self._before(slot, at)
        memory.pending.put(slot, FOREVER)
        memory.rank.put(slot, NO_RANK)
        self._fire(slot, since, at, last, Cause.SENSOR_SILENT)

    def _heard_again(self, steps: Points) -> None:
        back = steps.take(self.memory.silent[steps.slot])
        self.memory.silent[back.slot] = False
        since = self.memory.since[back.slot]
        self._tell(Change.HEARD_AGAIN, Cause.HEARD, back.slot, since, back.time, back.value)

    def _fire(
        self, slot: Slots, since: I64, at: I64, value: F64, cause: Cause = Cause.CONDITION_HELD
    ) -> None:
        self.memory.firing[slot] = True
        self.memory.since[slot] = since
        self._tell(Change.FIRED, cause, slot, since, at, value)

    def _clear(self, slot: Slots, at: I64, value: F64, cause: Cause) -> None:
        memory = self.memory
        self._tell(Change.CLEARED, cause, slot, memory.since[slot], at, value)
        memory.calm.put(slot, FOREVER)
        for flags in (memory.firing, memory.silent, memory.by_silence, memory.lapsed):
            flags[slot] = False

    def _tell(  # noqa: PLR0917
        self,
        change: Change,
        cause: Cause,
        slot: Slots,
        since: I64,
        at: I64,
        value: F64,
        was: Ranks | None = None,
    ) -> None:
        devices = None if self.causes is None or not len(slot) else self.causes(slot, at)
        ranks = self._ranks(slot) if self.turn.own.rule.grades else None
        self.turn.tell(
            change,
            cause,
            slot,
            since=since,
            at=at,
            value=value,
            devices=devices,
            ranks=ranks,
            was=was,
        )

    def _ranks(self, slot: Slots) -> Ranks:
        """Of the colours that these alerts have."""
        ranks = self.memory.rank[slot]
        return np.where(ranks == NO_RANK, rank_of(self.turn.own.rule), ranks).astype(np.int8)

    def _before(self, slots: Slots, times: I64) -> F64:
        """The last number known of each slot before each time."""
        values = self.memory.value[slots]
        known = self.known
        if known is None:
            return values
        for i, (slot, time) in enumerate(zip(slots.tolist(), times.tolist(), strict=True)):
            start, end = np.searchsorted(known.slot, [slot, slot + 1])
            row = start + int(np.searchsorted(known.time[start:end], time)) - 1
            if row >= start:
                values[i] = known.value[row]
        return values
