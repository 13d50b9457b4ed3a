"""What is remembered of a measured window, and the number that its panes come to."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import numpy as np

from devices.instant import DAY, FOREVER, HOUR, NEVER, Micros
from devices.metric import BY_NAME, MetricKind
from devices.reading import F64, I64, Bool
from rules.backlog import Backlog
from rules.model import Baseline, Measure, MeasureInWindow, Rule, Season
from rules.panes import Panes, within
from rules.spans import FORGOTTEN, SpanMemory, fresh_spans
from rules.sparse import Sparse
from rules.table import ByDevice, Table


@dataclass(slots=True, eq=False, kw_only=True)
class MeasureMemory(SpanMemory):
    """first: (n,), the number of the first step whose whole window has passed since the subject
    became known · due: (n,), the next step at which something may change; FOREVER: none known.

    hushed: (n,), silent at the step judged last · settled: (n,), the last step that was over when
    the subject fell further behind, NEVER where none: no step up to it is judged any more
    look: µs, the end of the first step that is due, but for those of `backlog.waiting`
    asleep: how many are hushed · backlog: what was heard and is not counted yet; never saved.
    """

    first: I64
    due: I64
    hushed: Bool
    settled: Sparse[np.int64]
    backlog: Backlog = field(default_factory=Backlog)
    look: Micros = FORGOTTEN
    asleep: int = FORGOTTEN

    def any_hushed(self) -> bool:
        """Whether any subject was silent at the step judged last."""
        if self.asleep == FORGOTTEN:
            self.asleep = int(np.count_nonzero(self.hushed))
        return self.asleep > 0


@dataclass(slots=True, eq=False, kw_only=True)
class PaneMemory(MeasureMemory):
    """By pane, (n, cells), or (n, 0) where the measure does not need it.

    count, total: of the numbers · extreme: the smallest or the greatest · moment, squared, product:
    totals of t, of t² and of t times the number, t in hours since the pane began.
    """

    count: Sparse[np.int32]
    total: Sparse[np.float64]
    extreme: Sparse[np.float64]
    moment: Sparse[np.float64]
    squared: Sparse[np.float64]
    product: Sparse[np.float64]


@dataclass(slots=True, eq=False, kw_only=True)
class GrowthMemory(PaneMemory):
    """last_time, last_number: (m,), what each counter read last, and when; NEVER before."""

    last_time: ByDevice
    last_number: ByDevice


@dataclass(slots=True, eq=False, kw_only=True)
class SetMemory(MeasureMemory):
    """seen: numbers, each with its pane and the first step in whose window it counts.

    Where whom events name is counted, the number's 64 bits are that token.
    """

    seen: Table


@dataclass(slots=True, eq=False, kw_only=True)
class BaselineMemory(GrowthMemory):
    """history: (n, seasons, values), the last of each season, the newest last, NaN where there is
    none yet · kept: (n,), the number of the last step of which the value was kept.
    """

    history: Sparse[np.float32]
    kept: I64


Ring: TypeAlias = Sparse[np.int32] | Sparse[np.float64]

_EXTREMES = frozenset({Measure.MIN, Measure.MAX, Measure.ACTIVE_SHARE})
_OF_GROWTH = frozenset({Measure.RISE, Measure.RATE, Measure.ACTIVE_SHARE})
_LEAST_SPREAD = 1e-9
"""h²: readings closer together than this have no slope."""


Measuring: TypeAlias = MeasureInWindow | Baseline


def measuring(rule: Rule) -> Measuring:
    """The condition of a rule that measures."""
    return cast("Measuring", rule.condition)


def panes_of(condition: Measuring) -> Panes:
    """How its window is divided."""
    return Panes(condition.step, condition.within // condition.step)


def counts_up(rule: Rule) -> bool:
    """Whether what is measured is by how much a counter grows."""
    counter = BY_NAME[rule.watch.metric].kind is MetricKind.COUNTER
    return counter and measuring(rule).measure in _OF_GROWTH


def names_somebody(rule: Rule) -> bool:
    """Whether what is counted is whom events name, not different values."""
    return measuring(rule).measure is Measure.DISTINCT and BY_NAME[rule.watch.metric].occurs


def first_whole(condition: Measuring, now: Micros) -> int:
    """The first step whose whole window has passed since `now`."""
    return -(-(now + condition.within) // condition.step)


def fresh_measure(rule: Rule, n: int, m: int, now: Micros) -> MeasureMemory:
    """What is remembered of n subjects with m devices that become known now."""
    condition, first = measuring(rule), np.full(n, first_whole(measuring(rule), now), np.int64)
    begin: dict[str, Any] = fresh_spans(n)
    begin |= {"first": first, "due": first.copy(), "hushed": np.zeros(n, np.bool_)}
    begin["settled"] = Sparse(n, np.int64(NEVER))
    if condition.measure is Measure.DISTINCT:
        return SetMemory(**begin, seen=Table(pane=np.int64, start=np.int64, number=np.float64))
    begin |= _fresh_rings(condition, n, sloping=slopes(rule))
    if not counts_up(rule) and isinstance(condition, MeasureInWindow):
        return PaneMemory(**begin)
    begin |= {"last_time": ByDevice(m, np.int64(NEVER)), "last_number": ByDevice(m, np.float64(0))}
    if isinstance(condition, MeasureInWindow):
        return GrowthMemory(**begin)
    shape = (n, seasons_of(condition), condition.values)
    history = Sparse(shape, np.float32(np.nan))
    return BaselineMemory(**begin, history=history, kept=np.full(n, NEVER, np.int64))


def seasons_of(condition: Baseline) -> int:
    """How many steps there are until the same is expected again."""
    return DAY * (7 if condition.season is Season.WEEK else 1) // condition.step


def _fresh_rings(condition: Measuring, n: int, *, sloping: bool) -> Mapping[str, Ring]:
    measure, cells = condition.measure, panes_of(condition).cells
    zero = np.float64(0)
    extreme = np.float64(np.inf if measure is Measure.MIN else -np.inf)
    total, best = (0, cells) if measure in _EXTREMES else (cells, 0)
    moments = cells if sloping else 0
    return {
        "count": Sparse((n, cells), np.int32(0)),
        "total": Sparse((n, total), zero),
        "extreme": Sparse((n, best), extreme),
        "moment": Sparse((n, moments), zero),
        "squared": Sparse((n, moments), zero),
        "product": Sparse((n, moments), zero),
    }


def slopes(rule: Rule) -> bool:
    """Whether what is measured is the slope of a line."""
    return measuring(rule).measure is Measure.RATE and not counts_up(rule)


def rings(memory: PaneMemory) -> Iterator[Ring]:
    """All that is remembered by pane."""
    columns = (memory.count, memory.total, memory.extreme)
    for ring in (*columns, memory.moment, memory.squared, memory.product):
        if ring.shape[1]:
            yield ring


def restart(memory: MeasureMemory, condition: Measuring, slots: I64, now: Micros) -> None:
    """Begin anew with these subjects, as if they had become known now; spans stay as they are."""
    if isinstance(memory, PaneMemory):
        for ring in rings(memory):
            ring[slots] = ring.usual
    elif isinstance(memory, SetMemory):
        memory.seen.keep(~np.isin(memory.seen.slot, slots))
    memory.first[slots] = memory.due[slots] = first_whole(condition, now)
    memory.hushed[slots] = False
    memory.look = memory.asleep = FORGOTTEN


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of some subjects, (k,), each at the step in `steps`. held: (k, cells)."""

    rule: Rule
    memory: PaneMemory
    slots: I64
    steps: I64
    held: I64

    @classmethod
    def of(cls, rule: Rule, memory: PaneMemory, slots: I64, steps: I64) -> "Windows":
        """These."""
        return cls(rule, memory, slots, steps, panes_of(measuring(rule)).held(steps))

    def numbers(self) -> F64:
        """What each comes to, (k,); NaN where that cannot be told."""
        condition, memory = measuring(self.rule), self.memory
        measure, count = condition.measure, panes_of(condition).count
        inside = within(self.held, self.steps, count)
        number = np.where(inside, memory.count[self.slots], 0).sum(axis=1)
        if measure in _EXTREMES:
            return np.where(number > 0, self._extreme(measure, inside, count), np.nan)
        total: F64 = np.where(inside, memory.total[self.slots], 0.0).sum(axis=1)
        if measure is Measure.SUM:
            return total
        known = np.where(number > 0, number, np.nan)
        if measure is Measure.MEAN:
            return total / known
        if slopes(self.rule):
            return self._slope(known, total, inside)
        hours = condition.within / HOUR if measure is Measure.RATE else 1.0
        return np.where(number > 0, total / hours, np.nan)

    def _extreme(self, measure: Measure, inside: Bool, count: int) -> F64:
        extreme = self.memory.extreme[self.slots]
        if measure is Measure.ACTIVE_SHARE:
            share: F64 = (inside & (extreme > 0)).sum(axis=1) / count
            return share
        usual = self.memory.extreme.usual
        best = np.minimum if measure is Measure.MIN else np.maximum
        found: F64 = best.reduce(np.where(inside, extreme, usual), axis=1)
        return found

    def _slope(self, number: F64, total: F64, inside: Bool) -> F64:
        """Of the straight line that fits best (least squares), per hour."""
        memory, panes = self.memory, panes_of(measuring(self.rule))
        offset = (self.held - self.steps[:, None] + panes.count) * (panes.step / HOUR)
        offset = np.where(inside, offset, 0.0)
        counts, moment = memory.count[self.slots], memory.moment[self.slots]
        squares = memory.squared[self.slots] + offset * (2 * moment + counts * offset)
        products = memory.product[self.slots] + offset * memory.total[self.slots]
        t, tt, tv = (
            np.where(inside, part, 0.0).sum(axis=1)
            for part in (moment + counts * offset, squares, products)
        )
        spread = number * tt - t * t
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(spread > _LEAST_SPREAD, (number * tv - t * total) / spread, np.nan)

    def next_changes(self) -> I64:
        """The next step after this one at which something enters or leaves; FOREVER if none."""
        filled = self.memory.count.unusual(self.slots)
        ahead = self.held >= self.steps[:, None]
        leaves = self.held + 1 + panes_of(measuring(self.rule)).count
        changes = np.where(ahead, self.held + 1, leaves)
        changes = np.where(filled & (changes > self.steps[:, None]), changes, FOREVER)
        first: I64 = changes.min(axis=1)
        return first

    def forget(self) -> None:
        """Empty the cells of the panes that have left the windows."""
        left = self.steps - panes_of(measuring(self.rule)).count - 1
        cells = left % self.held.shape[1]
        old = self.memory.count.unusual((self.slots, cells))
        for ring in rings(self.memory):
            ring[self.slots[old], cells[old]] = ring.usual


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """As `Windows`, of different values, which are so bit by bit."""

    rule: Rule
    memory: SetMemory
    slots: I64
    steps: I64

    def _rows(self) -> tuple[I64, I64, I64]:
        """Of the rows of these subjects: which, whose (a place in `slots`), and its step."""
        place = np.full(len(self.memory.due), -1, np.int64)
        place[self.slots] = np.arange(len(self.slots))
        owner = place[self.memory.seen.slot]
        rows = np.flatnonzero(owner >= 0)
        return rows, owner[rows], self.steps[owner[rows]]

    def numbers(self) -> F64:
        """How many different values there are in each, (k,)."""
        seen, count = self.memory.seen, panes_of(measuring(self.rule)).count
        rows, owner, steps = self._rows()
        pane, start = seen["pane"][rows], seen["start"][rows]
        inside = (pane >= steps - count) & (pane < steps) & (start <= steps)
        owner, values = owner[inside], seen["number"][rows[inside]].view(np.int64)
        order = np.lexsort((values, owner))
        owner, values = owner[order], values[order]
        new = np.ones(len(order), np.bool_)
        new[1:] = (owner[1:] != owner[:-1]) | (values[1:] != values[:-1])
        return np.bincount(owner[new], minlength=len(self.slots)).astype(np.float64)

    def next_changes(self) -> I64:
        """The next step after this one at which something enters or leaves; FOREVER if none."""
        seen, count = self.memory.seen, panes_of(measuring(self.rule)).count
        rows, owner, steps = self._rows()
        start, leaves = seen["start"][rows], seen["pane"][rows] + 1 + count
        change = np.where(start > steps, start, np.where(leaves > steps, leaves, FOREVER))
        changes = np.full(len(self.slots), FOREVER, np.int64)
        np.minimum.at(changes, owner, change)
        return changes
