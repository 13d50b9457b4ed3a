"""Score rules: NEWS2 of a household, worked out at each reading of one of its parameters.

A parameter counts from its reading until `valid` later; with one that is missing there is no total
and the number is unknown. Of each parameter a reading not later than the last one is ignored. Air
and alertness that the rule assumes hold where nothing was ever heard, and where the last word heard
was the same: oxygen that was given is not taken for ended because nobody spoke of it again.

What a household says at one instant is taken together, and its instants one after another. Of most
readings nothing follows but that they are remembered: those whose scores are what they were, in a
household that is well, and those of households that have no total before nor after. These are taken
note of all at once.
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
from rules.news2 import CONSCIOUSNESS, MOST, MOST_OF_ONE, OXYGEN, PARAMETERS, bands_of, news2
from rules.places import places_of
from rules.plan import RulePlan
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

_MAY_BE_ASSUMED = np.isin(np.arange(len(PARAMETERS)), list(ASSUMABLE.values()))

ON_SCALE_2 = 2.0

_KEPT = 256
_CHARTS: dict[object, "_Chart"] = {}
"""By what the rule says of totals and single scores: the same texts mean the same."""

_COLUMN: npt.NDArray[np.int64] = np.full(max(BY_ID) + 1, -1)
_COLUMN[[BY_NAME[name].id for name in PARAMETERS]] = np.arange(len(PARAMETERS))


class _Settled(NamedTuple):
    """well: (n,), whose last total was judged by this plan and this scale, and does not alarm.

    Never changed in place: copies of a memory share it.
    """

    own: RulePlan | None
    scale: F64 | None
    well: Bool


def _nothing_settled() -> _Settled:
    return _Settled(None, None, np.zeros(0, np.bool_))


@dataclass(slots=True, eq=False, kw_only=True)
class ScoreMemory(SpanMemory):
    """times, numbers: (n, 7), when each parameter was last heard, NEVER before the first, and it.

    aging: when households that have a total have none any more · settled: whose total need not be
    judged again as long as no score changes; both are not saved.
    """

    times: Sparse[np.int64]
    numbers: Sparse[np.float64]
    aging: Aging = field(default_factory=Aging)
    settled: _Settled = field(default_factory=_nothing_settled)


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
        oldest = _oldest(self.counting(condition))
        return np.where(oldest == NEVER, NEVER, oldest + condition.valid)

    def counting(self, condition: Score) -> I64:
        """The times from which each parameter counts, (k, 7); FOREVER where it is assumed."""
        times = self.times.copy()
        for column in (ASSUMABLE[word] for word in condition.assume):
            times[self.numbers[:, column] == 0, column] = FOREVER
        return times


def _oldest(times: I64) -> I64:
    """The least of each row of (k, 7); the other way round it is found in a third of the time."""
    oldest: I64 = np.ascontiguousarray(times.T).min(axis=0)
    return oldest


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


class _Said(NamedTuple):
    """Readings by household and parameter, (r,) each, of h households.

    cell: 7 · slot + the parameter's column · slots, first: (h,), and where each begins · home:
    (r,), the number of its household.
    """

    row: Rows
    cell: I64
    time: I64
    value: F64
    slots: I64
    first: Rows
    home: I64

    @property
    def place(self) -> I64:
        """Where each stands in (h, 7)."""
        return self.cell + (self.home - self.slots.take(self.home)) * len(PARAMETERS)

    def without_late(self, known: "_Known", place: I64) -> "_Said":
        """The same, but that what is not later than the last says that once more."""
        last = known.times.take(place)
        late = self.time <= last
        if not np.count_nonzero(late):
            return self
        value = np.where(late, known.numbers.take(place), self.value)
        return self._replace(time=np.where(late, last, self.time), value=value)


def fold(turn: Turn, memory: ScoreMemory, rows: Rows) -> None:
    """Take note of these rows of the parameters; `memory` is changed in place."""
    slot = turn.own.slot[turn.hearing.device.take(rows).astype(np.int64)]
    mine = (slot >= 0).nonzero()[0]
    if len(mine) < len(rows):
        rows, slot = rows.take(mine), slot.take(mine)
    if len(rows) and turn.own.rule.no_data is not NoData.ALERT:
        rows = _uneventful(turn, memory, _said(turn, rows, slot.astype(np.int64)))
    if len(rows):
        _fold(turn, memory, rows)


def _said(turn: Turn, rows: Rows, slot: I64) -> _Said:
    hearing = turn.hearing
    cell = slot * len(PARAMETERS)
    cell += _COLUMN.take(hearing.metric.take(rows))
    order = cell.argsort(kind="stable")
    rows, slot = rows.take(order), slot.take(order)
    begins = ~_again(slot)
    first = begins.nonzero()[0]
    home = begins.cumsum()
    home -= 1
    time, value = hearing.time.take(rows), hearing.value.take(rows)
    return _Said(rows, cell.take(order), time, value, slot.take(first), first, home)


def _uneventful(turn: Turn, memory: ScoreMemory, said: _Said) -> Rows:
    """Take note, in place, of readings of which nothing follows; the rows of all others."""
    condition, slots, first = cast("Score", turn.own.rule.condition), said.slots, said.first
    place, known = said.place, _remembered(memory, slots)
    said = said.without_late(known, place)
    heard, going = memory.heard[slots], memory.firing.take(slots)
    newest = np.maximum(heard, np.maximum.reduceat(said.time, first))
    times = known.counting(condition)
    calm = _well(turn, memory).take(slots)
    calm &= newest - condition.valid < _oldest(times)
    changed, scored, worded = _changes(said, known, place)
    if len(scored):
        calm[said.home[scored]] = False
    if np.count_nonzero(calm) < len(calm):
        times.put(place, np.maximum(times.take(place), said.time))
        earliest = np.maximum(heard, np.minimum.reduceat(said.time, first))
        calm |= _oldest(times) <= earliest - condition.valid
    going |= memory.pending.unusual(slots)
    calm[going] = False
    if len(worded):
        calm[said.home[worded]] = False
    again = _again(said.cell)
    if np.count_nonzero(again):
        calm[said.home[again]] = False
    return _note(memory, said, calm, newest, changed)


def _changes(said: _Said, known: "_Known", place: I64) -> tuple[Rows, Rows, Rows]:
    """Readings of another number than before, of another score, and of what may be assumed so."""
    was = known.numbers.take(place)
    changed = (said.value != was).nonzero()[0]
    if not len(changed):
        return changed, changed, changed
    column = place[changed] % len(PARAMETERS)
    other = bands_of(said.value[changed], column) != bands_of(was[changed], column)
    return changed, changed[other], changed[other & _MAY_BE_ASSUMED.take(column)]


def _note(memory: ScoreMemory, said: _Said, calm: Bool, newest: I64, changed: Rows) -> Rows:
    """Take note of what these households said, up to `newest`; the rows of all others.

    changed: the readings of other numbers than before.
    """
    slots, cell, time, left = said.slots, said.cell, said.time, said.row[:0]
    if np.count_nonzero(calm) < len(calm):
        which = calm.take(said.home)
        left = np.sort(said.row[~which])
        changed = changed[which.take(changed)]
        slots, newest, cell, time = slots[calm], newest[calm], cell[which], time[which]
    memory.heard[slots] = newest
    memory.times[np.divmod(cell, len(PARAMETERS))] = time
    if len(changed):
        memory.numbers[np.divmod(said.cell[changed], len(PARAMETERS))] = said.value[changed]
    return left


def _well(turn: Turn, memory: ScoreMemory) -> Bool:
    """Whose total need not be judged again as long as no score changes, (n,)."""
    own, scale, well = memory.settled
    if own is turn.own and scale is turn.plan.attributes[SPO2_SCALE]:
        return well
    return np.zeros(len(turn.own.subject_ids), np.bool_)


def _settle(turn: Turn, memory: ScoreMemory, slot: I64, now: Bool) -> None:
    """Note whose total, just judged, is well now."""
    well = _well(turn, memory)
    if np.count_nonzero(well.take(slot) != now):
        well = well.copy()
        well[slot] = now
        memory.settled = _Settled(turn.own, turn.plan.attributes[SPO2_SCALE], well)


def _fold(turn: Turn, memory: ScoreMemory, rows: Rows) -> None:
    """Take note of these rows, all of the rule's households, instant by instant."""
    hearing = turn.hearing
    device, time = hearing.device.take(rows), hearing.time.take(rows)
    slot, column = turn.own.slot[device].astype(np.int64), _COLUMN.take(hearing.metric.take(rows))
    which = (time > memory.times[slot, column]).nonzero()[0]
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
    before = known.until(condition)
    known.times[told.instant, told.column] = told.time
    known.numbers[told.instant, told.column] = told.number
    until = known.until(condition)
    points = _points(turn, instants, known.numbers, at < until)
    there = (points.verdict != UNKNOWN).nonzero()[0]
    loud = _loud(turn, memory, points)
    if len(loud) or len(there):
        if len(loud):
            ends = loud[(memory.heard[slot[loud]] < before[loud]) & (before[loud] < at[loud])]
            aged = _unknown(slot[ends], before[ends])
            spans.fold(turn, memory, joined(aged, points.take(loud)), condition.judging)
        memory.value[slot.take(there)] = points.value.take(there)
        _settle(turn, memory, slot.take(there), points.verdict.take(there) != TRUE)
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
