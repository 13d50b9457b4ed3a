"""Occupancy rules: how many devices of an area or a household are in a state by their last word.

A device that is silent is unknown from then on and until it says the watched metric again: it
counts neither in the number nor in the total. Where the state of less than `known` of the devices
is known, the number is not. Of one instant all that was said counts together.

All is judged at the tick, after the batch: only then is it known which of the other devices had
fallen silent by the time of a reading.
"""

from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I32, I64, Bool
from rules import spans
from rules.model import Occupancy
from rules.places import places, places_of
from rules.silence import Rows
from rules.spans import FORGOTTEN, Points, SpanMemory, fresh_spans, verdicts
from rules.table import ByDevice
from rules.turn import Slots, Turn

NAMES = ("share", "number", "total")
"""What `when` and `clear` are written over; share = number / total."""

UNKNOWN, NOT_SO, SO = -1, 0, 1
"""A device's last word."""

Words = npt.NDArray[np.int8]
_WORD, _SILENCE = 0, 1


@dataclass(slots=True, eq=False, kw_only=True)
class OccupancyMemory(SpanMemory):
    """word: int8 (m,), the last word of each device · at: (m,), since when it is its word, µs.

    quiet: a lower bound of when a device of which the word is known falls silent.
    """

    word: ByDevice
    at: ByDevice
    quiet: Micros = FORGOTTEN


def fresh_occupancy(n: int, m: int) -> OccupancyMemory:
    """Of n subjects with m devices of which nothing was heard."""
    return OccupancyMemory(
        **fresh_spans(n),  # type: ignore[arg-type]
        word=ByDevice(m, np.int8(UNKNOWN)),
        at=ByDevice(m, np.int64(NEVER)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Changes:
    """Words and silences, (k,) each. place: of the device in `RulePlan.devices`; then: or later."""

    slot: I32
    place: I64
    time: I64
    then: npt.NDArray[np.int8]
    word: Words

    def take(self, rows: Rows | Bool) -> "_Changes":
        return _Changes(
            self.slot[rows], self.place[rows], self.time[rows], self.then[rows], self.word[rows]
        )


def fold(_turn: Turn, _memory: OccupancyMemory, _rows: Rows) -> None:
    """Nothing yet: see `tick`."""


def tick(turn: Turn, memory: OccupancyMemory, now: Micros) -> None:
    """Judge what was heard; fire and clear what is due by `now`; `memory` is changed in place."""
    condition = cast("Occupancy", turn.own.rule.condition)
    rows = turn.hearing.rows_of(turn.own.metric)
    if len(rows):
        rows = rows[turn.own.slot[turn.hearing.device.take(rows)] >= 0]
    if not len(rows) and memory.quiet > now and not turn.hearing.unsettled:
        spans.tick(turn, memory, now, condition.judging, partial(_causes, turn, memory, None))
        return
    changes = _accepted(memory, _joined(_words(turn, rows, condition), _returns(turn)))
    changes = _joined(changes, _silences(turn, memory, changes, _heard_to(turn, rows, now)))
    changes = changes.take(np.lexsort((changes.then, changes.time, changes.place)))
    causes = partial(_causes, turn, memory, changes)
    spans.fold(turn, memory, _points(turn, memory, changes, condition), condition.judging, causes)
    spans.tick(turn, memory, now, condition.judging, causes)
    memory.word.values[changes.place] = changes.word
    memory.at.values[changes.place] = changes.time


def _words(turn: Turn, rows: Rows, condition: Occupancy) -> _Changes:
    """What these rows of the metric say, of one device and instant the first."""
    hearing = turn.hearing
    device, time = hearing.device[rows], hearing.time[rows]
    again = (np.diff(device) == 0) & (np.diff(time) == 0)
    once = np.append(True, ~again)[: len(rows)]
    rows, device, time = rows[once], device[once], time[once]
    true, false = condition.where.judge(hearing.value[rows], turn.attributes(device))
    word = np.where(true, SO, np.where(false, NOT_SO, UNKNOWN)).astype(np.int8)
    return _changes(turn, device, time, _WORD, word)


def _returns(turn: Turn) -> _Changes:
    """Silences that ended in the batch: the device was unknown from their beginning on."""
    words, seen = turn.hearing.words, turn.hearing.seen
    gaps = turn.hearing.gaps
    gaps = gaps[turn.own.slot[words.device.take(gaps)] >= 0]
    word = np.full(len(gaps), UNKNOWN, np.int8)
    return _changes(turn, words.device.take(gaps), seen.until.take(gaps), _SILENCE, word)


def _changes(turn: Turn, device: I32 | I64, time: I64, then: int, word: Words) -> _Changes:
    slot = turn.own.slot[device]
    kind = np.full(len(device), then, np.int8)
    return _Changes(slot, places(turn.own, slot, device), time, kind, word)


def _accepted(memory: OccupancyMemory, changes: _Changes) -> _Changes:
    """Those that are not late: later than the device's last word, or a silence after it."""
    since = memory.at.values[changes.place]
    return changes.take(
        (changes.time > since) | ((changes.then == _SILENCE) & (changes.time == since))
    )


def _heard_to(turn: Turn, rows: Rows, now: Micros) -> I64:
    """Up to when each slot was heard in the server's time, by its readings too, (n,)."""
    to = np.full(len(turn.own.subject_ids), now, np.int64)
    np.maximum.at(to, turn.own.slot[turn.hearing.device[rows]], turn.hearing.heard[rows])
    return to


def _silences(turn: Turn, memory: OccupancyMemory, heard: _Changes, until: I64) -> _Changes:
    """Who has fallen silent by then and was not heard again."""
    own, silence = turn.own, turn.silence
    anew = own.devices[heard.place]
    quiet = min(memory.quiet, int(silence.silent_at(anew).min(initial=FOREVER)))
    if quiet > int(until.max(initial=NEVER)) and not turn.hearing.unsettled:
        memory.quiet = quiet
        return heard.take(np.zeros(len(heard.slot), np.bool_))
    word = memory.word.values.copy()
    last = heard.take(np.lexsort((heard.then, heard.time, heard.place)))
    word[last.place] = last.word
    slot = own.slot[own.devices]
    place = np.flatnonzero((word != UNKNOWN) & (slot >= 0))
    device = own.devices[place]
    at = silence.silent_at(device)
    due = at + silence.lag[device] <= until[slot[place]]
    memory.quiet = int(at[~due].min(initial=FOREVER))
    if len(silence.gateways) and silence.outlive(device).any():
        memory.quiet = FORGOTTEN
    word = np.full(int(due.sum()), UNKNOWN, np.int8)
    return _changes(turn, device[due], at[due], _SILENCE, word)


def _points(turn: Turn, memory: OccupancyMemory, changes: _Changes, condition: Occupancy) -> Points:
    """What the numbers are after each of these changes, which lie by device and time.

    Nothing changes by the silence of a device of which nothing was known.
    """
    new, old = changes.word, memory.word.values[changes.place]
    follows = np.flatnonzero(np.diff(changes.place) == 0) + 1
    old[follows] = new[follows - 1]
    says = np.flatnonzero((new != UNKNOWN) | (old != UNKNOWN))
    changes, new, old = changes.take(says), new[says], old[says]
    time = np.maximum(changes.time, memory.heard[changes.slot])
    order = np.lexsort((time, changes.slot))
    slot, time, new, old = changes.slot[order], time[order], new[order], old[order]
    number, total, devices = _counted(turn, memory, slot)
    number = number + _running(slot, (new == SO).astype(np.int64) - (old == SO))
    total = total + _running(slot, (new != UNKNOWN).astype(np.int64) - (old != UNKNOWN))
    known = (total > 0) & (total >= condition.known * devices)
    share = number / np.maximum(total, 1)
    counts = {"number": number.astype(np.float64), "total": total.astype(np.float64)}
    values = {"share": share, "value": share, **counts}
    verdict = verdicts(condition.judging, values, known)
    told = np.where(known, values[condition.told], np.nan)
    return Points(slot, time, told, verdict, turn.ranks_by(values))


def _running(slot: I32, change: I64) -> I64:
    """The sum of the changes of the same slot up to each, these included; slots ascending."""
    total: I64 = np.cumsum(change)
    first = np.flatnonzero(np.diff(slot, prepend=-1) != 0)
    before = total[first] - change[first]
    return total - np.repeat(before, np.diff(first, append=len(slot)))


def _counted(turn: Turn, memory: OccupancyMemory, slot: I32) -> tuple[I64, I64, I64]:
    """Before the batch, of each of these slots: how many are so, are known, and are there."""
    slots, back = np.unique(slot, return_inverse=True)
    place, starts = places_of(turn.own, slots)
    if not len(slots):
        return back, back, back
    word, there = memory.word.values[place], turn.own.slot[turn.own.devices[place]] >= 0
    of_slot = [
        np.add.reduceat((which & there).astype(np.int64), starts)[back]
        for which in (word == SO, word != UNKNOWN, there)
    ]
    return of_slot[0], of_slot[1], of_slot[2]


def _causes(
    turn: Turn, memory: OccupancyMemory, changes: _Changes | None, slots: Slots, times: I64
) -> list[tuple[int, ...]]:
    """Who was so at these times; all devices where nobody was."""
    told = []
    for slot, time in zip(slots.tolist(), times.tolist(), strict=True):
        word = memory.word.values[turn.own.starts[slot] : turn.own.starts[slot + 1]].copy()
        if changes is not None:
            mine = changes.take((changes.slot == slot) & (changes.time <= time))
            word[mine.place - turn.own.starts[slot]] = mine.word
        devices = turn.own.devices_of(slot)
        so = devices[(word == SO) & (turn.own.slot[devices] >= 0)]
        told.append(tuple((so if len(so) else devices).tolist()))
    return told


def _joined(one: _Changes, other: _Changes) -> _Changes:
    return _Changes(
        np.concatenate([one.slot, other.slot]),
        np.concatenate([one.place, other.place]),
        np.concatenate([one.time, other.time]),
        np.concatenate([one.then, other.then]),
        np.concatenate([one.word, other.word]),
    )
