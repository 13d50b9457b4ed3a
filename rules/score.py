"""Score rules: NEWS2 of a household, worked out at each reading of one of its parameters.

A parameter counts from its reading until `valid` later; with one that is missing there is no total
and the number is unknown. Of each parameter a reading not later than the last one is ignored. Air
and alertness that the rule assumes hold where nothing was ever heard, and where the last word heard
was the same: oxygen that was given is not taken for ended because nobody spoke of it again.

What a household says at one instant is taken together, and its instants one after another; of most
households nothing follows but what is remembered of them.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID, BY_NAME
from devices.reading import F64, I32, I64, Bool
from rules import spans
from rules.aging import Aging
from rules.grading import Ranks, rank_of, ranks_of
from rules.hearing import rounds
from rules.model import SPO2_SCALE, Judging, NoData, Rule, Score
from rules.news2 import CONSCIOUSNESS, MOST, MOST_OF_ONE, OXYGEN, PARAMETERS, news2
from rules.places import places_of
from rules.silence import Rows
from rules.spans import (
    TRUE,
    UNKNOWN,
    Points,
    SpanMemory,
    Verdicts,
    fresh_spans,
    joined,
    verdicts,
)
from rules.sparse import Sparse
from rules.turn import Slots, Turn

ASSUMABLE = {"air": OXYGEN, "alert": CONSCIOUSNESS}
"""What `assume` can say, and of which parameter; 0 is its number."""

ON_SCALE_2 = 2.0

_KEPT = 256
_CHARTS: dict[object, "_Chart"] = {}
"""By what the rule says of totals and single scores: the same texts mean the same."""

_COLUMN: npt.NDArray[np.int64] = np.full(max(BY_ID) + 1, -1)
_COLUMN[[BY_NAME[name].id for name in PARAMETERS]] = np.arange(len(PARAMETERS))


@dataclass(slots=True, eq=False, kw_only=True)
class ScoreMemory(SpanMemory):
    """times, numbers: (n, 7), when each parameter was last heard, NEVER before the first, and it.

    aging: when households that have a total have none any more; not saved.
    """

    times: Sparse[np.int64]
    numbers: Sparse[np.float64]
    aging: Aging = field(default_factory=Aging)


def fresh_score(n: int, _m: int) -> ScoreMemory:
    """Of n households of which nothing was heard."""
    shape = (n, len(PARAMETERS))
    return ScoreMemory(
        **fresh_spans(n),  # type: ignore[arg-type]
        times=Sparse(shape, np.int64(NEVER)),
        numbers=Sparse(shape, np.float64(0.0)),
    )


class _Known(NamedTuple):
    """Of k households at some moments: each parameter's time and number, (k, 7)."""

    times: I64
    numbers: F64

    def until(self, condition: Score) -> I64:
        """From when there is no total unless more is heard, (k,); NEVER where there is none."""
        assumed = [ASSUMABLE[word] for word in sorted(condition.assume)]
        heard = [column for column in range(len(PARAMETERS)) if column not in assumed]
        oldest: I64 = self.times[:, heard].min(axis=1)
        for column in assumed:
            usual = self.numbers[:, column] == 0
            oldest = np.minimum(oldest, np.where(usual, FOREVER, self.times[:, column]))
        return np.where(oldest == NEVER, NEVER, oldest + condition.valid)


class _Told(NamedTuple):
    """Readings that say something new, (r,) each. instant: the number of theirs."""

    instant: I64
    column: I64
    time: I64
    number: F64

    def take(self, which: Rows) -> "_Told":
        instant, column = self.instant.take(which), self.column.take(which)
        return _Told(instant, column, self.time.take(which), self.number.take(which))


class _Instants(NamedTuple):
    """Of households, (k,) each, those of one in their order and one after another.

    at: as of when what was said then counts: not before what was known.
    """

    slot: I64
    at: I64


class _Chart(NamedTuple):
    """What each total and largest single score say; by `_place`."""

    verdict: Verdicts
    rank: Ranks | None


def fold(turn: Turn, memory: ScoreMemory, rows: Rows) -> None:
    """Take note of these rows of the parameters; `memory` is changed in place."""
    hearing = turn.hearing
    device, time = hearing.device.take(rows), hearing.time.take(rows)
    slot, column = turn.own.slot[device].astype(np.int64), _COLUMN.take(hearing.metric.take(rows))
    which = ((slot >= 0) & (time > memory.times[slot, column])).nonzero()[0]
    if not len(which):
        return
    if len(which) < len(rows):
        rows, slot, time, column = (each.take(which) for each in (rows, slot, time, column))
    at = np.maximum(time, memory.heard[slot])
    instants, instant = _instants(slot, at)
    told = _Told(instant, column, time, hearing.value.take(rows))
    told = _last_of_each(told, hearing.device, rows)
    if not np.count_nonzero(_again(instants.slot)):
        _take(turn, memory, instants, told)
        return
    for some in rounds(instants.slot):
        _take(turn, memory, *_part(instants, told, some))


def tick(turn: Turn, memory: ScoreMemory, now: Micros) -> None:
    """Let what has aged stop counting, and fire and clear what is due, by `now`; in place."""
    if memory.aging.soonest < now:
        _age(turn, memory, now)
    spans.tick(turn, memory, now, cast("Score", turn.own.rule.condition).judging)


def _instants(slot: I64, at: I64) -> tuple[_Instants, I64]:
    """The instants of readings by device and time, and the number of each one's, (r,)."""
    begins = np.ones(len(slot), np.bool_)
    begins[1:] = (slot[1:] != slot[:-1]) | (at[1:] != at[:-1])
    first = begins.nonzero()[0]
    words = _Instants(slot.take(first), at.take(first))
    order = words.slot.argsort(kind="stable")
    again = _again(words.slot.take(order))
    if not np.count_nonzero(again):
        return words, begins.cumsum() - 1
    repeated = again.copy()
    repeated[:-1] |= again[1:]
    some = order[repeated]
    order[repeated] = some[np.lexsort((words.at[some], words.slot[some]))]
    slot, at = words.slot.take(order), words.at.take(order)
    begun = ~(_again(slot) & _again(at))
    number = np.empty(len(order), np.int64)
    number[order] = begun.cumsum() - 1
    return _Instants(slot[begun], at[begun]), number.take(begins.cumsum() - 1)


def _again(numbers: I64) -> Bool:
    """True (n,) where the same stands as just before."""
    again = np.zeros(len(numbers), np.bool_)
    again[1:] = numbers[1:] == numbers[:-1]
    return again


def _last_of_each(told: _Told, device: I32, rows: Rows) -> _Told:
    """Of each instant and parameter the latest reading, of one time the first device's first."""
    place = told.instant * len(PARAMETERS) + told.column
    taken = np.zeros(int(place.max()) + 1, np.bool_)
    taken[place] = True
    if np.count_nonzero(taken) == len(place):
        return told
    order = np.lexsort((-np.arange(len(place)), -device.take(rows), told.time, place))
    last = np.append(~_again(place[order])[1:], True)
    return told.take(order[last])


def _part(instants: _Instants, told: _Told, which: Rows) -> tuple[_Instants, _Told]:
    """These instants, of different households, with what was said then."""
    number = np.full(len(instants.slot), -1)
    number[which] = np.arange(len(which))
    mine = told.take((number.take(told.instant) >= 0).nonzero()[0])
    part = _Instants(instants.slot.take(which), instants.at.take(which))
    return part, mine._replace(instant=number.take(mine.instant))


def _take(turn: Turn, memory: ScoreMemory, instants: _Instants, told: _Told) -> None:
    """One instant of each of these households, which are all different."""
    condition, (slot, at) = cast("Score", turn.own.rule.condition), instants
    known = _remembered(memory, slot)
    known.times[told.instant, told.column] = told.time
    known.numbers[told.instant, told.column] = told.number
    until = known.until(condition)
    points = _points(turn, instants, known.numbers, at < until)
    there = (points.verdict != UNKNOWN).nonzero()[0]
    loud = _loud(turn, memory, points)
    if len(loud) or len(there):
        before = _remembered(memory, slot).until(condition)
        ends = loud[(memory.heard[slot[loud]] < before[loud]) & (before[loud] < at[loud])]
        aged = _unknown(slot[ends], before[ends])
        spans.fold(turn, memory, joined(aged, points.take(loud)), condition.judging)
        memory.value[slot.take(there)] = points.value.take(there)
        moved = there[until[there] != before[there]]
        memory.aging = memory.aging.put(slot[moved], until[moved])
    memory.heard[slot] = at
    household = slot.take(told.instant)
    memory.times[household, told.column] = told.time
    memory.numbers[household, told.column] = told.number


def _remembered(memory: ScoreMemory, slot: Slots) -> _Known:
    return _Known(memory.times[slot], memory.numbers[slot])


def _loud(turn: Turn, memory: ScoreMemory, points: Points) -> Rows:
    """The points of households of which more may follow than that they are remembered."""
    if turn.own.rule.no_data is NoData.ALERT:
        return np.arange(len(points.slot))
    loud = memory.firing.take(points.slot) | memory.pending.unusual(points.slot)
    loud |= points.verdict == TRUE
    return loud.nonzero()[0]


def _points(turn: Turn, instants: _Instants, numbers: F64, there: Bool) -> Points:
    """What the score is from each of these instants on. there: bool (k,), where there is one."""
    rule, k = turn.own.rule, len(there)
    value, verdict = np.full(k, np.nan), np.full(k, UNKNOWN, np.int8)
    rank = np.full(k, rank_of(rule), np.int8) if rule.grades else None
    known = there.nonzero()[0]
    if len(known):
        chart = _chart_of(rule)
        total, single = news2(numbers.take(known, axis=0), _scale_2(turn, instants.slot[known]))
        place = _place(total, single)
        value[known], verdict[known] = total, chart.verdict.take(place)
        if rank is not None and chart.rank is not None:
            rank[known] = chart.rank.take(place)
    return Points(instants.slot, instants.at, value, verdict, rank)


def _scale_2(turn: Turn, slot: I64) -> Bool:
    """Of which households a device says so: the prescription is a person's, whichever tells it."""
    there, starts = places_of(turn.own, slot)
    says = turn.plan.attributes[SPO2_SCALE].take(turn.own.devices.take(there)) == ON_SCALE_2
    of_slot: Bool = np.logical_or.reduceat(says, starts)
    return of_slot


def _place(total: I64, single: I64) -> I64:
    return total * (MOST_OF_ONE + 1) + single


def _chart_of(rule: Rule) -> _Chart:
    how = cast("Score", rule.condition).judging
    clear = how.clear.text if how.clear else None
    grades = tuple((grade.severity, grade.when.text) for grade in rule.grades)
    key = (how.when.text, clear, rule.severity, grades)
    chart = _CHARTS.get(key)
    if chart is None:
        if len(_CHARTS) >= _KEPT:
            _CHARTS.clear()
        chart = _CHARTS[key] = _made(rule, how)
    return chart


def _made(rule: Rule, how: Judging) -> _Chart:
    totals, singles = np.divmod(np.arange((MOST + 1) * (MOST_OF_ONE + 1)), MOST_OF_ONE + 1)
    total, single = totals.astype(np.float64), singles.astype(np.float64)
    values = {"total": total, "single": single, "value": total}
    verdict = verdicts(how, values, np.ones(len(total), np.bool_))
    return _Chart(verdict, ranks_of(rule, values, {}) if rule.grades else None)


def _age(turn: Turn, memory: ScoreMemory, now: Micros) -> None:
    """What has aged by now stops counting."""
    condition = cast("Score", turn.own.rule.condition)
    slot, left = memory.aging.before(now)
    every = memory.aging.horizon < now
    if every:
        slot = memory.heard.unusual().nonzero()[0]
    until = _remembered(memory, slot).until(condition)
    counts = memory.heard[slot] < until
    slot, until = slot[counts], until[counts]
    over = until < now - turn.lag(slot)
    spans.fold(turn, memory, _unknown(slot[over], until[over]), condition.judging)
    slot, until = slot[~over], until[~over]
    latest = now + max(1, condition.valid // 2)
    memory.aging = Aging.of(slot, until, latest) if every else left.put(slot, until)


def _unknown(slot: I64, time: I64) -> Points:
    verdict = np.full(len(slot), UNKNOWN, np.int8)
    return Points(slot, time, np.full(len(slot), np.nan), verdict)
