"""Score rules: NEWS2 of a household, worked out at each reading of one of its parameters.

A parameter counts from its reading until `valid` later; with one that is missing there is no total
and the number is unknown. Of each parameter a reading not later than the last one is ignored. Air
and alertness that the rule assumes hold where nothing was ever heard, and where the last word heard
was the same: oxygen that was given is not taken for ended because nobody spoke of it again.
"""

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID, BY_NAME
from devices.reading import F64, I32, I64, Bool
from rules import spans
from rules.model import SPO2_SCALE, Score
from rules.news2 import CONSCIOUSNESS, OXYGEN, PARAMETERS, news2
from rules.silence import Rows
from rules.spans import Points, SpanMemory, fresh_spans, joined, verdicts
from rules.sparse import Sparse
from rules.turn import Slots, Turn

ASSUMABLE = {"air": OXYGEN, "alert": CONSCIOUSNESS}
"""What `assume` can say, and of which parameter; 0 is its number."""

NAMES = ("total", "single")
"""What `when` and `clear` are written over."""

ON_SCALE_2 = 2.0

_COLUMN: npt.NDArray[np.int64] = np.full(max(BY_ID) + 1, -1)
_COLUMN[[BY_NAME[name].id for name in PARAMETERS]] = np.arange(len(PARAMETERS))


@dataclass(slots=True, eq=False, kw_only=True)
class ScoreMemory(SpanMemory):
    """times, numbers: (n, 7), when each parameter was last heard, NEVER before the first, and it.

    `earliest` also bounds the next moment at which a parameter stops counting.
    """

    times: Sparse[np.int64]
    numbers: Sparse[np.float64]


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
        heard = self.times != NEVER
        until = np.where(heard, np.where(heard, self.times, 0) + condition.valid, NEVER)
        for word in condition.assume:
            column = ASSUMABLE[word]
            usual = ~heard[:, column] | (self.numbers[:, column] == 0)
            until[usual, column] = FOREVER
        soonest: I64 = until.min(axis=1)
        return soonest

    def take(self, rows: Rows) -> "_Known":
        return _Known(self.times[rows], self.numbers[rows])


class _Told(NamedTuple):
    """Readings that say something new, (k,) each, by slot and time; at: as of when they count."""

    slot: I32
    column: I64
    time: I64
    at: I64
    number: F64


def fold(turn: Turn, memory: ScoreMemory, rows: Rows) -> None:
    """Take note of these rows of the parameters; `memory` is changed in place."""
    condition = cast("Score", turn.own.rule.condition)
    told = _told(turn, memory, rows)
    if not len(told.slot):
        return
    first, last = _first(told.slot), _last(told.slot)
    before = _remembered(memory, told.slot[first])
    known = _known(memory, told, first)
    until = known.until(condition)
    points = _points(turn, told.slot, told.at, known, until, _scale_2(turn, told.slot))
    aged = _aged(memory, told, until, first, before.until(condition))
    spans.fold(turn, memory, joined(aged, points), condition.judging)
    slot = told.slot[last]
    memory.times[slot], memory.numbers[slot] = known.take(last)
    memory.earliest = min(memory.earliest, int(until[last].min()))


def tick(turn: Turn, memory: ScoreMemory, now: Micros) -> None:
    """Let what has aged stop counting, and fire and clear what is due, by `now`; in place."""
    if memory.earliest > now:
        return
    condition = cast("Score", turn.own.rule.condition)
    slot = np.flatnonzero(memory.heard.unusual()).astype(np.int32)
    until = _remembered(memory, slot).until(condition)
    counts = memory.heard[slot] < until
    slot, until = slot[counts], until[counts]
    over = until < now - turn.lag(slot)
    spans.fold(turn, memory, _unknown(slot[over], until[over]), condition.judging)
    spans.tick(turn, memory, now, condition.judging)
    memory.earliest = min(memory.earliest, int(until[~over].min(initial=FOREVER)))


def _told(turn: Turn, memory: ScoreMemory, rows: Rows) -> _Told:
    hearing = turn.hearing
    device, time = hearing.device[rows], hearing.time[rows]
    slot, column = turn.own.slot[device], _COLUMN[hearing.metric[rows]]
    new = np.flatnonzero((slot >= 0) & (time > memory.times[slot, column]))
    order = new[np.lexsort((device[new], column[new], time[new], slot[new]))]
    slot, column, time = slot[order], column[order], time[order]
    again = (np.diff(slot) == 0) & (np.diff(column) == 0) & (np.diff(time) == 0)
    once = np.append(True, ~again)[: len(order)]
    slot, column, time = slot[once], column[once], time[once]
    number = hearing.value[rows[order[once]]]
    return _Told(slot, column, time, np.maximum(time, memory.heard[slot]), number)


def _known(memory: ScoreMemory, told: _Told, first: Rows) -> _Known:
    """What is known after each of these readings."""
    k = len(told.slot)
    begin = np.repeat(first, np.diff(first, append=k))
    here = told.column[:, None] == np.arange(len(PARAMETERS))
    row = np.maximum.accumulate(np.where(here, np.arange(k)[:, None], -1), axis=0)
    anew = row >= begin[:, None]
    earlier = _remembered(memory, told.slot)
    times = np.where(anew, told.time[row], earlier.times)
    return _Known(times, np.where(anew, told.number[row], earlier.numbers))


def _remembered(memory: ScoreMemory, slot: Slots) -> _Known:
    return _Known(memory.times[slot], memory.numbers[slot])


def _scale_2(turn: Turn, slot: I32) -> Bool:
    """Of which households a device says so: the prescription is a person's, whichever tells it."""
    own = turn.own
    says = turn.plan.attributes[SPO2_SCALE][own.devices] == ON_SCALE_2
    of_slot: Bool = np.logical_or.reduceat(says, own.starts[:-1])
    return of_slot[slot]


def _points(  # noqa: PLR0917
    turn: Turn, slot: I32, at: I64, known: _Known, until: I64, scale_2: Bool
) -> Points:
    how = cast("Score", turn.own.rule.condition).judging
    total, single = news2(known.numbers, scale_2)
    there = at < until
    numbers = {"total": total, "single": single, "value": total}
    verdict, told = verdicts(how, numbers, there), np.where(there, total, np.nan)
    return Points(slot, at, told, verdict, turn.ranks_by(numbers))


def _aged(memory: ScoreMemory, told: _Told, until: I64, first: Rows, before: I64) -> Points:
    """Where a parameter stopped counting between two readings.

    until: after each reading · before: of the first of each slot, before it.
    """
    ends, since = np.roll(until, 1), np.roll(told.at, 1)
    ends[first], since[first] = before, memory.heard[told.slot[first]]
    aged = (since < ends) & (ends < told.at)
    return _unknown(told.slot[aged], ends[aged])


def _unknown(slot: I32, time: I64) -> Points:
    verdict = np.full(len(slot), spans.UNKNOWN, np.int8)
    return Points(slot, time, np.full(len(slot), np.nan), verdict)


def _first(slot: I32) -> Rows:
    """The first row of each run."""
    return np.flatnonzero(np.diff(slot, prepend=-1) != 0)


def _last(slot: I32) -> Rows:
    """The last row of each run."""
    return np.flatnonzero(np.diff(slot, append=-1) != 0)
