"""Measures over a window: sum, mean, min, max, rise, rate, distinct and active_share.

The window moves in steps (`rules.panes`). A step is judged once everything up to its end has been
heard, and only where something entered or left the window or the subject fell silent: so a number
depends neither on the order within a batch nor on where batches are cut. A reading that comes late
counts in the windows that end after it was heard.

What a counter grew by between two readings belongs to the later of them; one that fell was reset
and has grown from zero. Where they lie further apart than `reach` nothing is known of its growth.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import F64, I64
from rules import baseline, counting, spans
from rules.audible import Listening, left, returned, slowed
from rules.backlog import Arrived, Came, arrived
from rules.counting import Portions
from rules.hearing import rounds
from rules.measured import (
    BaselineMemory,
    MeasureMemory,
    Measuring,
    PaneMemory,
    SetMemory,
    Sets,
    Windows,
    measuring,
    names_somebody,
    panes_of,
)
from rules.model import Baseline, Rule
from rules.panes import Panes
from rules.plan import Plan, RulePlan
from rules.silence import Rows
from rules.spans import FORGOTTEN, Points, verdicts
from rules.turn import Slots, Turn

_PORTION = 65_536
"""Subjects of which whole windows are in memory at a time."""

_NOBODY: I64 = np.empty(0, np.int64)


def fold(turn: Turn, memory: MeasureMemory, _rows: Rows) -> None:
    """Keep the readings of the rule's metric; they are counted when a step is judged."""
    condition, new = measuring(turn.own.rule), arrived(turn)
    came, step = new.came, condition.step
    if new.last // step > new.first // step:
        came = _starting(turn, condition, new)
    if names_somebody(turn.own.rule):
        came = came._replace(token=turn.hearing.token[new.row])
    memory.backlog.add(came)
    look = (new.first // step + 1) * step
    if look < memory.look or memory.backlog.urgent:
        memory.look = min(memory.look, look)
        turn.stirred.append(_NOBODY)  # so that the timers are looked at


def _starting(turn: Turn, condition: Measuring, new: Arrived) -> Came:
    """With the step from which each counts, where one counts later than its time says."""
    panes, came = panes_of(condition), new.came
    start = came.time // panes.step + 1
    settled = new.heard - np.minimum(new.lag, panes.patience)
    late = (settled > start * panes.step).nonzero()[0]
    if len(late):
        slot = turn.own.slot[came.device[late]]
        late, slot = late[slot >= 0], slot[slot >= 0]
        settled = new.heard[late] - np.minimum(turn.lag(slot), panes.patience)
        counts = panes.first_from(settled)
        if np.count_nonzero(counts > start[late]):
            start[late] = np.maximum(start[late], counts)
            return came._replace(start=start)
    return came


def due(_own: RulePlan, memory: MeasureMemory) -> Micros:
    """Before this nothing is to be judged unless something stirs it, or a device falls behind."""
    backlog = memory.backlog
    if backlog.urgent or len(backlog.waiting) or memory.any_hushed():
        return NEVER
    return min(memory.look + 1, memory.earliest)


def tick(turn: Turn, memory: MeasureMemory, now: Micros) -> None:
    """Judge every step up to `now`, what has come counted; `memory` is changed in place."""
    condition = measuring(turn.own.rule)
    if _stirs(turn, memory, condition, now):
        looking = _Looking(turn, memory, panes_of(condition), Listening.of(turn), now)
        looking.look()
        points = looking.points()
        if points is not None:
            spans.fold(turn, memory, points, condition.judging)
    spans.tick(turn, memory, now, condition.judging)


def _stirs(turn: Turn, memory: MeasureMemory, condition: Measuring, now: Micros) -> bool:
    """Whether a step is due, or something was heard by which one may be due sooner."""
    hearing, backlog = turn.hearing, memory.backlog
    if memory.look < now or backlog.urgent:
        return True
    if len(hearing.offlines) and len(left(turn).slot):
        return True
    if slowed(turn, condition.step, now) is not None:
        return True
    if memory.any_hushed() and len(hearing.returned(now)):
        slot = returned(turn, now).slot
        if np.count_nonzero(memory.hushed[slot]):
            return True
    return len(backlog.waiting) > 0 and _waited(turn, memory, panes_of(condition), now)


def _waited(turn: Turn, memory: MeasureMemory, panes: Panes, now: Micros) -> bool:
    """Whether a step is due of any subject that was behind its end."""
    waiting = memory.backlog.waiting
    return bool((memory.due[waiting] <= _settled(turn, panes, waiting, now)).any())


def _settled(turn: Turn, panes: Panes, slots: Slots, now: Micros) -> I64:
    """The last step of each up to whose end everything has been heard."""
    return panes.last_before(now - np.minimum(turn.lag(slots), panes.patience))


def settle(plan: Plan, own: RulePlan, memory: MeasureMemory) -> None:
    """Count all that has come, in place: between two batches, all steps that are due judged.

    Where an error shows it is left to be counted with the next batch, which finds the rule failing.
    """
    taken = memory.backlog.copy()
    try:
        _count(plan, own, memory, lambda _some, _which: None)
    except Exception:  # noqa: BLE001 — one broken rule must not stop the others from being saved
        memory.backlog.put_back(taken)


def _count(
    plan: Plan, own: RulePlan, memory: MeasureMemory, before: Callable[[Portions, Rows], None]
) -> None:
    """Put what has come into panes. before: called before some portions are put there."""
    parts = memory.backlog.take()
    coming = counting.coming_of(plan, own, memory, parts) if parts else None
    if coming is None:
        return
    panes = panes_of(measuring(own.rule))
    if isinstance(memory, SetMemory):
        counting.collect(memory, coming)
        _due(panes, memory, coming.slot, coming.start)
    elif isinstance(memory, PaneMemory):
        some = counting.portions(coming)
        for which in rounds(some.slot):
            before(some, which)
            _due(panes, memory, some.slot[which], some.start[which])
            counting.put(panes, memory, some, which)


def _due(panes: Panes, memory: MeasureMemory, slot: I64, step: I64) -> None:
    """Something may change with these subjects at these steps, if not too soon to be judged."""
    if len(slot):
        step = np.maximum(step, np.maximum(memory.first[slot], memory.settled[slot] + 1))
        np.minimum.at(memory.due, slot, step)
        _note(panes, memory, step)


def _note(panes: Panes, memory: MeasureMemory, step: I64) -> None:
    first = int(step.min(initial=FOREVER))
    if first < FOREVER // panes.step:
        memory.look = min(memory.look, first * panes.step)


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

    def look(self) -> None:
        """Judge whatever is due."""
        self._wake_all()
        _count(self.turn.plan, self.turn.own, self.memory, self._before)
        self._slow()
        if self.memory.look < self.now or len(self.memory.backlog.waiting):
            self._finish()

    def _wake_all(self) -> None:
        """Look again at whoever may be heard again, or silent sooner than was known."""
        memory, panes = self.memory, self.panes
        if memory.look == FORGOTTEN:
            known = np.flatnonzero(~memory.hushed)
            step = panes.first_after(self.turn.silent_at(known))
            self._wake(known, np.maximum(step, self._settled(known)))
        if memory.any_hushed():
            slot, time, _ = returned(self.turn, self.now)
            hushed = memory.hushed[slot]
            self._wake(slot[hushed], panes.first_from(time[hushed]))
        slot, time, heard = left(self.turn)
        settled = heard - np.minimum(self.turn.lag(slot), panes.patience)
        self._wake(slot, np.maximum(panes.first_after(time), panes.first_from(settled)))

    def _wake(self, slot: I64, step: I64) -> None:
        """Look at these again from this step on, but not where it was looked at before."""
        if len(slot):
            last = self.memory.heard[slot] // self.panes.step
            _due(self.panes, self.memory, slot, np.maximum(step, last + 1))

    def _before(self, some: Portions, which: Rows) -> None:
        """Judge the steps in which these portions do not count."""
        slot, start, late = some.slot[which], some.start[which], some.late[which]
        if not np.count_nonzero(late | (self.memory.due[slot] < start)):
            return
        settled = self._settled(slot)
        forced = some.coming.pane[some.ends[which] - 1] - self.panes.ahead
        until = np.where(late, start - 1, np.maximum(np.minimum(start - 1, settled), forced))
        self._look(slot, until)
        over = late & (start - 1 > settled)
        if np.count_nonzero(over):
            self._settle(slot[over], start[over] - 1)

    def _slow(self) -> None:
        """What was over when a subject fell further behind stays so."""
        found = slowed(self.turn, self.panes.step, self.now)
        if found is None:
            return
        over = self.panes.last_before(found.heard - np.minimum(found.before, self.panes.patience))
        slots, which = np.unique(found.slot, return_inverse=True)
        last = np.full(len(slots), NEVER)
        np.maximum.at(last, which, over)
        behind = last > self._settled(slots)
        self._look(slots[behind], last[behind])
        self._settle(slots[behind], last[behind])

    def _settle(self, slots: I64, steps: I64) -> None:
        memory = self.memory
        memory.settled.put(slots, np.maximum(memory.settled[slots], steps))
        memory.due[slots] = np.maximum(memory.due[slots], memory.settled[slots] + 1)

    def _finish(self) -> None:
        """Judge all steps that are due."""
        memory, away = self.memory, self.turn.own.away
        ended = int(self.panes.last_before(np.array([self.now]))[0])
        slots = np.flatnonzero((memory.due <= ended) & ~away)
        self._look(slots, self._settled(slots))
        memory.look = FOREVER
        waits = memory.due[slots] <= ended
        memory.backlog.waiting = slots[waits].astype(np.int32)
        _note(self.panes, memory, memory.due[(memory.due > ended) & ~away])
        if isinstance(memory, SetMemory) and self.found:
            leaves = memory.seen["pane"] + self.panes.count + 1
            memory.seen.keep(leaves >= memory.due[memory.seen.slot])

    def _settled(self, slots: Slots) -> I64:
        return _settled(self.turn, self.panes, slots, self.now)

    def _look(self, slots: I64, until: I64) -> None:
        """Judge these slots, all different, at every step up to this one where they may change."""
        while (ready := self.memory.due[slots] <= until).any():
            slots, until = slots[ready], until[ready]
            for part in _portions(slots):
                self._judge(part)

    def _judge(self, slots: I64) -> None:
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
        self.found.append(Points(slots.astype(np.int32), times, number, verdict))
        memory.hushed[slots], memory.asleep = silent, FORGOTTEN
        stays = change == FOREVER
        change = np.where(stays, 0, change)
        other = np.where(silent, self.panes.first_from(change), self.panes.first_after(change))
        other = np.where(stays, FOREVER, np.maximum(other, steps + 1))
        memory.due[slots] = np.minimum(other, following)
        if isinstance(windows, Windows):
            windows.forget()

    def _deviation(self, memory: BaselineMemory, slots: I64, steps: I64, number: F64) -> F64:
        condition = cast("Baseline", self.turn.own.rule.condition)
        begins = (steps - 1) * self.panes.step
        seasons = baseline.season_of(condition, begins, self.turn.own.calendar.zone)
        deviation = baseline.deviations(condition, memory, slots, seasons, number)
        baseline.keep(memory, slots, steps, seasons, number)
        return deviation


def _windows(rule: Rule, memory: MeasureMemory, slots: I64, steps: I64) -> Windows | Sets:
    if isinstance(memory, PaneMemory):
        return Windows.of(rule, memory, slots, steps)
    return Sets(rule, cast("SetMemory", memory), slots, steps)


def _portions(slots: I64) -> Iterator[I64]:
    for start in range(0, len(slots), _PORTION):
        yield slots[start : start + _PORTION]
