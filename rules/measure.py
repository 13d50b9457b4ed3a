"""Measures over a window: sum, mean, min, max, rise, rate, distinct and active_share.

The window moves in steps (`rules.panes`). A step is judged once everything up to its end has been
heard, and only where something entered or left the window or the subject fell silent: so a number
depends neither on the order within a batch nor on where batches are cut. A reading that comes late
counts in the windows that end after it was heard.

What a counter grew by between two readings belongs to the later of them; one that fell was reset
and has grown from zero. Where they lie further apart than `reach` nothing is known of its growth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from devices.instant import FOREVER, HOUR, NEVER, Micros
from devices.reading import F64, I32, I64
from rules import baseline, spans
from rules.audible import Listening, lag_of, places_of, silent_at
from rules.hearing import rounds
from rules.measured import (
    BaselineMemory,
    Coming,
    GrowthMemory,
    MeasureMemory,
    PaneMemory,
    Ring,
    SetMemory,
    Sets,
    Windows,
    counts_up,
    measuring,
    panes_of,
)
from rules.model import Baseline, Rule
from rules.panes import Panes
from rules.silence import Rows
from rules.spans import FORGOTTEN, Points, verdicts
from rules.table import Table
from rules.turn import Turn

_PORTION = 65_536
"""Subjects of which whole windows are in memory at a time."""


def fold(turn: Turn, memory: MeasureMemory, rows: Rows) -> None:
    """Note what these rows of the rule's metric bring; they are counted when timers fire."""
    own, hearing = turn.own, turn.hearing
    panes = panes_of(measuring(own.rule))
    rows = _chosen(turn, rows)
    slot = own.slot[hearing.device[rows]]
    numbers = hearing.value[rows]
    if isinstance(memory, GrowthMemory) and counts_up(own.rule):
        grown, growth = _growth(turn, memory, rows, slot)
        rows, slot, numbers = rows[grown], slot[grown], growth
    time, heard = hearing.time[rows], hearing.heard[rows]
    pane = time // panes.step
    settled = heard - np.minimum(lag_of(turn, slot), panes.patience)
    start = np.maximum(pane + 1, panes.first_from(settled))
    late = np.maximum(start, memory.first[slot]) > pane + panes.count
    order = np.lexsort((hearing.device[rows], time, start, slot))
    order = order[~late[order]]
    memory.coming = Coming(slot[order], pane[order], start[order], time[order], numbers[order])


def _chosen(turn: Turn, rows: Rows) -> Rows:
    """The readings that count: of subjects whom the rule judges, each time of a device once."""
    own, hearing = turn.own, turn.hearing
    rows = rows[own.slot[hearing.device[rows]] >= 0]
    where = measuring(own.rule).where
    rows = rows[~own.away[own.slot[hearing.device[rows]]]]
    if where is not None:
        attributes = turn.attributes(hearing.device[rows])
        rows = rows[where.evaluate(hearing.value[rows], attributes)]
    again = (np.diff(hearing.device[rows]) == 0) & (np.diff(hearing.time[rows]) == 0)
    return rows[~np.concatenate([[False], again])] if again.any() else rows


def _growth(turn: Turn, memory: GrowthMemory, rows: Rows, slot: I32) -> tuple[Rows, F64]:
    """Which of these rows of counters tell of growth, and how much; what each read last is kept."""
    hearing = turn.hearing
    place = places_of(turn.own, slot, hearing.device[rows])
    last_time, last_number = memory.last_time.values, memory.last_number.values
    later = np.flatnonzero(hearing.time[rows] > last_time[place])
    place, time, number = place[later], hearing.time[rows[later]], hearing.value[rows[later]]
    first = np.ones(len(later), np.bool_)
    first[1:] = place[1:] != place[:-1]
    before = np.where(first, last_time[place], np.roll(time, 1))
    read = np.where(first, last_number[place], np.roll(number, 1))
    last_time[place], last_number[place] = time, number
    known = before >= time - measuring(turn.own.rule).reach
    growth = np.where(number >= read, number - read, number)
    return later[known], growth[known]


def tick(turn: Turn, memory: MeasureMemory, now: Micros) -> None:
    """Count what has come and judge every step up to `now`; `memory` is changed in place."""
    condition = measuring(turn.own.rule)
    coming, memory.coming = memory.coming, None
    looking = _Looking(turn, memory, panes_of(condition), Listening.of(turn), now)
    looking.wake()
    if coming is not None and len(coming.slot):
        looking.take(coming)
    if memory.look < now:
        looking.finish()
    points = looking.points()
    if points is not None:
        spans.fold(turn, memory, points, condition.judging)
    spans.tick(turn, memory, now, condition.judging)


@dataclass(slots=True, eq=False)
class _Looking:
    turn: Turn
    memory: MeasureMemory
    panes: Panes
    listening: Listening
    now: Micros
    found: list[Points] = field(default_factory=list)

    def points(self) -> Points | None:
        """All that was found out."""
        if not self.found:
            return None
        parts = [(p.slot, p.time, p.value, p.verdict) for p in self.found]
        slot, time, value, verdict = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Points(slot, time, value, verdict, self.turn.ranks_by(value))

    def wake(self) -> None:
        """Look again at whoever may be heard again, or silent sooner than was known."""
        memory = self.memory
        if memory.look == FORGOTTEN:
            known = np.flatnonzero(~memory.hushed).astype(np.int32)
            step = self.panes.first_after(silent_at(self.turn, known))
            self._wake(known, np.maximum(step, self._settled(known)))
        if memory.hushed.any():
            slot, time = self.listening.heard()
            hushed = memory.hushed[slot]
            self._wake(slot[hushed], self.panes.first_from(time[hushed]))
        slot, time, heard = self.listening.left()
        settled = heard - np.minimum(lag_of(self.turn, slot), self.panes.patience)
        step = np.maximum(self.panes.first_after(time), self.panes.first_from(settled))
        self._wake(slot, step)

    def _wake(self, slot: I32, step: I64) -> None:
        """Look at these again from this step on, but not where it was looked at before."""
        last = self.memory.heard[slot]
        step = np.maximum(step, last // self.panes.step + 1)
        sooner = step < self.memory.due[slot]
        slot, step = slot[sooner], step[sooner]
        if isinstance(self.memory, PaneMemory) and len(slot):
            due = self.memory.due[slot]
            held = self.panes.held(np.where(due == FOREVER, 0, due))
            after = held - self.panes.ahead + 1
            after = np.where(self.memory.count.unusual(slot), after, NEVER)
            step = np.maximum(step, after.max(axis=1))
        self._due(slot, step)

    def _due(self, slot: I32, step: I64) -> None:
        if len(slot):
            step = np.maximum(step, self.memory.first[slot])
            np.minimum.at(self.memory.due, slot, step)
            self._note(step)

    def _note(self, step: I64) -> None:
        first = int(step.min(initial=FOREVER))
        if first < FOREVER // self.panes.step:
            self.memory.look = min(self.memory.look, first * self.panes.step)

    def take(self, coming: Coming) -> None:
        """Put what has come into panes, the steps before it judged."""
        if isinstance(self.memory, SetMemory):
            _collect(self.memory.seen, coming)
            self._due(coming.slot, coming.start)
        elif isinstance(self.memory, PaneMemory):
            self._take(self.memory, coming)

    def _take(self, memory: PaneMemory, coming: Coming) -> None:
        begins = np.ones(len(coming.slot), np.bool_)
        same = (np.diff(coming.slot) == 0) & (np.diff(coming.start) == 0)
        begins[1:] = ~same
        starts = np.flatnonzero(begins)
        ends = np.append(starts[1:], len(begins))
        slots = coming.slot[starts]
        settled = self._settled(slots)
        for groups in rounds(slots):
            first, last = starts[groups], ends[groups]
            slot, start = slots[groups], coming.start[first]
            forced = coming.pane[last - 1] - self.panes.ahead
            self._look(slot, np.maximum(np.minimum(start - 1, settled[groups]), forced))
            self._due(slot, start)
            counts = last - first
            rows = np.repeat(last - np.cumsum(counts), counts) + np.arange(counts.sum())
            self._put(memory, coming, rows)

    def _put(self, memory: PaneMemory, coming: Coming, rows: Rows) -> None:
        """Add these to their cells, one after the other."""
        cells = self.panes.cells
        slot, pane, number = coming.slot[rows], coming.pane[rows], coming.number[rows]
        keys, which = np.unique(slot.astype(np.int64) * cells + pane % cells, return_inverse=True)
        at = (keys // cells, keys % cells)
        hours = (coming.time[rows] - pane * self.panes.step) / HOUR
        _add(memory.count, np.add, at, which, np.ones(len(rows), np.int32))
        _add(memory.total, np.add, at, which, number)
        best = np.minimum if memory.extreme.usual > 0 else np.maximum
        _add(memory.extreme, best, at, which, number)
        _add(memory.moment, np.add, at, which, hours)
        _add(memory.squared, np.add, at, which, hours * hours)
        _add(memory.product, np.add, at, which, hours * number)

    def finish(self) -> None:
        """Judge all steps that are due."""
        memory = self.memory
        due = memory.due <= self.panes.last_before(np.array([self.now]))[0]
        slots = np.flatnonzero(due & ~self.turn.own.away).astype(np.int32)
        self._look(slots, self._settled(slots))
        memory.look = FOREVER
        self._note(memory.due[~self.turn.own.away])
        if isinstance(memory, SetMemory) and self.found:
            leaves = memory.seen["pane"] + self.panes.count + 1
            memory.seen.keep(leaves >= memory.due[memory.seen.slot])

    def _settled(self, slots: I32) -> I64:
        """The last step of each up to whose end everything has been heard."""
        lag = np.minimum(lag_of(self.turn, slots), self.panes.patience)
        return self.panes.last_before(self.now - lag)

    def _look(self, slots: I32, until: I64) -> None:
        """Judge these slots, all different, at every step up to this one where they may change."""
        while (ready := self.memory.due[slots] <= until).any():
            slots, until = slots[ready], until[ready]
            for part in _portions(slots):
                self._judge(part)

    def _judge(self, slots: I32) -> None:
        memory, rule = self.memory, self.turn.own.rule
        steps = memory.due[slots]
        times = steps * self.panes.step
        windows = _windows(rule, memory, slots, steps)
        silent, change = self.listening.at(slots, times)
        number = np.where(silent, np.nan, windows.numbers())
        following = windows.next_changes()
        if isinstance(memory, BaselineMemory):
            following = np.where(silent, following, np.minimum(following, steps + 1))
            number = self._deviation(memory, slots, steps, number)
        verdict = verdicts(measuring(rule).judging, number, ~np.isnan(number))
        self.found.append(Points(slots, times, number, verdict))
        memory.hushed[slots] = silent
        stays = change == FOREVER
        change = np.where(stays, 0, change)
        other = np.where(silent, self.panes.first_from(change), self.panes.first_after(change))
        other = np.where(stays, FOREVER, np.maximum(other, steps + 1))
        memory.due[slots] = np.minimum(other, following)
        if isinstance(windows, Windows):
            windows.forget()

    def _deviation(self, memory: BaselineMemory, slots: I32, steps: I64, number: F64) -> F64:
        condition = cast("Baseline", self.turn.own.rule.condition)
        begins = (steps - 1) * self.panes.step
        seasons = baseline.season_of(condition, begins, self.turn.own.calendar.zone)
        deviation = baseline.deviations(condition, memory, slots, seasons, number)
        baseline.keep(memory, slots, steps, seasons, number)
        return deviation


def _windows(rule: Rule, memory: MeasureMemory, slots: I32, steps: I64) -> Windows | Sets:
    if isinstance(memory, PaneMemory):
        return Windows.of(rule, memory, slots, steps)
    return Sets(rule, cast("SetMemory", memory), slots, steps)


def _collect(seen: Table, coming: Coming) -> None:
    seen.add(coming.slot, pane=coming.pane, start=coming.start, number=coming.number)


def _portions(slots: I32) -> Iterator[I32]:
    for start in range(0, len(slots), _PORTION):
        yield slots[start : start + _PORTION]


def _add(ring: Ring, how: np.ufunc, at: tuple[I64, I64], which: I64, numbers: I32 | F64) -> None:
    if ring.shape[1]:
        cells = ring[at]
        how.at(cells, which, numbers)
        ring[at] = cells
