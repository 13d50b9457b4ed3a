"""The risk index of an area: what its open alerts weigh together, and whether that is rising.

The other rules' transitions feed it, in the same evaluation and after them: an alert counts from
the moment at which its rule fired until it cleared or was withdrawn, with the weight of the colour
that it has at the time. Alerts that a person must end (presses of a button) are not counted: rules
do not learn of the end. Nor are those that another rule keeps quiet, until they are told.
With a trend the index is level + weight * (level - mean level of the last whole hours `over`),
never below 0; hours before the area became known are left out of the mean.

A change is judged once everything up to it has been heard; one that comes late is taken as of the
last judged before it. What is counted is compared with what the other rules say after each change
of the plan.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol, cast, runtime_checkable

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, HOUR, Micros
from devices.reading import F64, I32, I64, Bool
from rules import spans
from rules.grading import NO_RANK
from rules.hearing import rounds
from rules.model import GRAVEST_FIRST, RiskIndex, Rule, Severity
from rules.panes import Panes, within
from rules.plan import RulePlan, about
from rules.silence import Rows
from rules.spans import FORGOTTEN, Points, SpanMemory, fresh_spans, verdicts
from rules.sparse import Sparse
from rules.table import Table
from rules.transition import Change, Transition
from rules.turn import Slots, Turn

COLOURS = tuple(Severity)
_OF_RANK = np.array([COLOURS.index(severity) for severity in GRAVEST_FIRST])
Counts = npt.NDArray[np.int32]


class Firing(Protocol):
    """What a memory of any kind has."""

    firing: Bool


@runtime_checkable
class Graded(Protocol):
    """What a memory has whose alerts may have colours by value."""

    rank: Sparse[np.int32]


class Other(NamedTuple):
    """What another rule said in this batch, what it remembers after it, and what it holds back."""

    turn: Turn
    memory: Firing
    held: Collection[int]

    @property
    def rule(self) -> Rule:
        """The rule."""
        return self.turn.own.rule

    def standing(self) -> Rows:
        """The slots whose alerts are told and not over."""
        firing = np.flatnonzero(self.memory.firing)
        if not self.held:
            return firing
        held = np.fromiter(self.held, np.int32, len(self.held))
        return firing[~np.isin(self.turn.own.subject_ids[firing], held)]

    def colours(self, slots: Rows) -> Rows:
        """Of these alerts, by their places in `COLOURS`."""
        usual = COLOURS.index(self.rule.severity)
        if not (self.rule.grades and isinstance(self.memory, Graded)):
            return np.full(len(slots), usual, np.intp)
        ranks = self.memory.rank[slots]
        return np.where(ranks == NO_RANK, usual, _OF_RANK[ranks])


@dataclass(slots=True, eq=False, kw_only=True)
class RiskMemory(SpanMemory):
    """open: (n, 4), alerts by colour · upto: (n,), µs, up to when the hours are summed · born: (n,)
    hours: (n, cells), level times µs in each hour; (n, 0) without a trend · changes: those not
    judged yet: at, µs, colour, change · look: µs, when the next is to be judged.
    """

    open: Sparse[np.int32]
    upto: I64
    born: I64
    hours: Sparse[np.float64]
    changes: Table
    look: Micros = FORGOTTEN


def risk_of(rule: Rule) -> RiskIndex:
    """The condition of a rule of this kind."""
    return cast("RiskIndex", rule.condition)


def _panes(condition: RiskIndex) -> Panes:
    return Panes(HOUR, condition.over // HOUR)


def fresh_risk(rule: Rule, n: int, now: Micros) -> RiskMemory:
    """What is remembered of n areas that become known now."""
    condition = risk_of(rule)
    cells = _panes(condition).cells if condition.over else 0
    return RiskMemory(
        **fresh_spans(n),  # type: ignore[arg-type]
        open=Sparse((n, len(COLOURS)), np.int32(0)),
        upto=np.full(n, now, np.int64),
        born=np.full(n, now, np.int64),
        hours=Sparse((n, cells), np.float64(0)),
        changes=Table(at=np.int64, colour=np.int32, change=np.int32),
    )


def is_new(memory: object) -> bool:
    """Whether it is still to be compared with all that the other rules say is firing."""
    return isinstance(memory, RiskMemory) and memory.look == FORGOTTEN


def feed(turn: Turn, memory: RiskMemory, others: Sequence[Other]) -> None:
    """Note what the other rules said in this batch.

    others: at least those that said anything; all of them while it `is_new`.
    """
    categories = risk_of(turn.own.rule).categories
    told = [one for one in others if one.rule.told]
    counted = [one for one in told if not categories or one.rule.category in categories]
    for other in counted:
        if other.turn.said:
            _note(memory, other.turn, turn.own.feeds[other.rule.code])
    if memory.look == FORGOTTEN:
        _reconcile(turn.own, memory, counted)


def _note(memory: RiskMemory, other: Turn, area: Sparse[np.int32]) -> None:
    if about(other.own.rule) is not other.own.rule.condition.per.subject:
        return  # each is of a moment, about a device that a name led to
    said = [(t, *change) for t in other.said for change in _changes(t)]
    if not said:
        return
    ids = np.array([t.subject.id for t, _, _ in said], np.int32)
    slots = area[np.searchsorted(other.own.subject_ids, ids)]
    rows = np.flatnonzero(slots >= 0)
    told = [said[row] for row in rows.tolist()]
    at = np.array([t.at for t, _, _ in told], np.int64)
    memory.changes.add(
        slots[rows],
        at=at,
        colour=[COLOURS.index(colour) for _, colour, _ in told],
        change=[change for _, _, change in told],
    )
    if len(at):
        memory.look = min(memory.look, int(at.min()))


def _changes(told: Transition) -> Iterator[tuple[Severity, int]]:
    """By how many alerts of which colours there are more or fewer."""
    if told.change is Change.FIRED and not told.cause.momentary:
        yield told.severity, 1
    elif told.change in {Change.CLEARED, Change.WITHDRAWN}:
        yield told.severity, -1
    elif told.change is Change.GRADED:
        yield told.was or told.rule.severity, -1
        yield told.severity, 1


def _reconcile(own: RulePlan, memory: RiskMemory, others: Sequence[Other]) -> None:
    """Where what is counted is not what is firing, as after a change of the plan: change it."""
    n = len(own.subject_ids)
    firing = np.zeros((n, len(COLOURS)), np.int32)
    for other in others:
        standing = other.standing()
        slots = own.feeds[other.rule.code][standing]
        here = slots >= 0
        np.add.at(firing, (slots[here], other.colours(standing)[here]), 1)
    counted = memory.open[:]
    pending = memory.changes
    np.add.at(counted, (pending.slot, pending["colour"]), pending["change"])
    slot, colours = np.nonzero(firing != counted)
    change = (firing - counted)[slot, colours]
    pending.add(slot, at=memory.upto[slot], colour=colours, change=change)


def fold(_turn: Turn, _memory: RiskMemory, _rows: Rows) -> None:
    """An index watches no metric."""


def tick(turn: Turn, memory: RiskMemory, now: Micros) -> None:
    """Judge every change before `now`; `memory` is changed in place."""
    condition = risk_of(turn.own.rule)
    if memory.look < now:
        judging = _Judging(turn.own.rule, memory, now)
        judging.run()
        if judging.found:
            points = judging.points()
            points = replace(points, rank=turn.ranks_by(points.value))
            spans.fold(turn, memory, points, condition.judging, _nobody)
    spans.tick(turn, memory, now, condition.judging, _nobody, waits=False)


def _nobody(slots: Slots, _at: I64) -> list[tuple[int, ...]]:
    """No device causes an index: the alerts that it is made of say theirs."""
    return [()] * len(slots)


@dataclass(slots=True, eq=False)
class _Judging:
    rule: Rule
    memory: RiskMemory
    now: Micros
    found: list[Points] = field(default_factory=list)

    def points(self) -> Points:
        """All that was found out."""
        parts = [(p.slot, p.time, p.value, p.verdict) for p in self.found]
        slot, time, value, verdict = (np.concatenate(column) for column in zip(*parts, strict=True))
        return Points(slot, time, value, verdict)

    def run(self) -> None:
        """All changes, and with a trend all hours, in order."""
        memory, pending = self.memory, self.memory.changes
        if memory.look == FORGOTTEN:
            every = np.arange(len(memory.upto), dtype=np.int32)
            self._judge(every, memory.upto[every])
        ready = np.flatnonzero(pending["at"] < self.now)
        for slot, time, change in self._steps(ready):
            self._hours(slot, time)
            self._move(slot, time)
            memory.open[slot] = memory.open[slot] + change
            self._judge(slot, time)
        unsettled = np.ones(len(pending), np.bool_)
        unsettled[ready] = False
        pending.keep(unsettled)
        every = np.arange(len(memory.upto), dtype=np.int32)
        self._hours(every, np.full(len(every), self.now))
        memory.look = min(int(pending["at"].min(initial=FOREVER)), self._next_hour())

    def _steps(self, rows: Rows) -> Iterator[tuple[I32, I64, Counts]]:
        """Slots, all different, with a moment of each, and what changes then by colour."""
        pending = self.memory.changes
        slot = pending.slot[rows]
        at = np.maximum(pending["at"][rows], self.memory.upto[slot])
        order = np.lexsort((at, slot))
        rows, slot, at = rows[order], slot[order], at[order]
        begins = np.ones(len(rows), np.bool_)
        begins[1:] = (slot[1:] != slot[:-1]) | (at[1:] != at[:-1])
        change = np.zeros((int(begins.sum()), len(COLOURS)), np.int32)
        group = np.cumsum(begins) - 1
        np.add.at(change, (group, pending["colour"][rows]), pending["change"][rows])
        slot, at = slot[begins], at[begins]
        for step in rounds(slot):
            yield slot[step], at[step], change[step]

    def _active(self, slots: I32) -> Bool:
        """Where the index changes by itself as hours pass."""
        memory = self.memory
        told = np.concatenate([memory.open.unusual(slots), memory.hours.unusual(slots)], axis=1)
        active: Bool = np.logical_or.reduce(told, axis=1)
        return active

    def _hours(self, slots: I32, until: I64) -> None:
        """Judge these slots at every full hour before these moments."""
        if not self.memory.hours.shape[1]:
            return
        while True:
            hour = (self.memory.upto[slots] // HOUR + 1) * HOUR
            ready = (hour < until) & self._active(slots)
            if not ready.any():
                return
            slots, until = slots[ready], until[ready]
            self._move(slots, hour[ready])
            self._judge(slots, hour[ready])

    def _next_hour(self) -> Micros:
        if not self.memory.hours.shape[1]:
            return FOREVER
        every = np.arange(len(self.memory.upto), dtype=np.int32)
        upto = self.memory.upto[self._active(every)]
        return (int(upto.min()) // HOUR + 1) * HOUR if len(upto) else FOREVER

    def _move(self, slots: I32, time: I64) -> None:
        """Sum up the hours to these moments, and forget those that no mean needs any more."""
        memory = self.memory
        if memory.hours.shape[1]:
            held = self._held(time)
            begin, end = held * HOUR, (held + 1) * HOUR
            before = memory.upto[slots][:, None]
            lasted = np.minimum(end, time[:, None]) - np.maximum(begin, before)
            new = begin >= before
            kept = np.where(new, 0.0, memory.hours[slots])
            added = self._level(slots)[:, None] * np.maximum(lasted, 0)
            memory.hours[slots] = kept + np.where(lasted > 0, added, 0.0)
        memory.upto[slots] = time

    def _held(self, time: I64) -> I64:
        """The hour in each cell at these moments."""
        return _panes(risk_of(self.rule)).held(time // HOUR)

    def _level(self, slots: I32) -> F64:
        weights = dict(risk_of(self.rule).weights)
        by_colour = np.array([weights.get(colour, 0.0) for colour in COLOURS])
        level: F64 = self.memory.open[slots] @ by_colour
        return level

    def _judge(self, slots: I32, time: I64) -> None:
        condition = risk_of(self.rule)
        index = self._level(slots)
        if self.memory.hours.shape[1]:
            index = np.maximum(index + condition.trend * self._rise(slots, time, index), 0.0)
        verdict = verdicts(condition.judging, index, np.ones(len(slots), np.bool_))
        self.found.append(Points(slots, time, index, verdict))

    def _rise(self, slots: I32, time: I64, level: F64) -> F64:
        """How far the level lies above its mean over the last whole hours."""
        hour, held = time // HOUR, self._held(time)
        born = -(-self.memory.born[slots] // HOUR)
        inside = within(held, hour, _panes(risk_of(self.rule)).count) & (held >= born[:, None])
        summed: F64 = np.where(inside, self.memory.hours[slots], 0.0).sum(axis=1)
        known = inside.sum(axis=1)
        mean = summed / (np.maximum(known, 1) * float(HOUR))
        return np.where(known > 0, level - mean, 0.0)
