"""Rules about what had to come before: true at a reading with no `without` in the time up to it.

A reading waits until everything that came up to its time has been heard, so that the order in which
the two arrive does not matter. It is told only if none of the subject's devices was silent then or
in the time before, and if the rule was there already: what was not heard may have been said.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias, cast

import numpy as np

from devices.instant import FOREVER, Micros
from devices.metric import BY_NAME
from devices.reading import I32, I64, Bool
from rules.joining import (
    FIRST,
    SILENCE,
    THEN,
    Heard,
    Moment,
    Playing,
    behind,
    gather,
    heard,
    heard_until,
    raise_floor,
    times_of,
    touched,
)
from rules.model import Part, SubjectKind, Without
from rules.places import among
from rules.sequence_memory import LATE, WithoutMemory
from rules.silence import Rows
from rules.table import Table
from rules.transition import Cause, Change, Subject, Transition
from rules.turn import Turn

_NONE: I64 = np.empty(0, np.int64)

_Place: TypeAlias = tuple[Micros, int, int]
"""Time, role and device of a reading: what the order of two goes by."""


@dataclass(slots=True)
class _Asked:
    """A reading that needs an excuse. decided: nothing more will be said of it."""

    value: float
    decided: bool = False


@dataclass(slots=True)
class _Known:
    """Of one key: the readings that excuse, and those that need it and have not been excused."""

    seen: dict[_Place, None] = field(default_factory=dict)
    asked: dict[_Place, _Asked] = field(default_factory=dict)


_Keys: TypeAlias = defaultdict[tuple[int, int], _Known]


def fold(turn: Turn, memory: WithoutMemory, _rows: Rows) -> None:
    """Take note of the rows of the rule's metrics; `memory` is changed in place."""
    found = heard(turn, memory, silences=True)
    late = _late(turn, memory, found.first)
    hard = _hard(turn, memory, found, late)
    if len(hard):
        earlier, later = among(found.first.slot, hard), among(found.then.slot, hard)
        part = found._replace(first=found.first.take(earlier), then=found.then.take(later))
        _Fold(turn, memory, part.moments(turn)).run()
        found = found._replace(first=found.first.take(~earlier), then=found.then.take(~later))
        late = late[~earlier]
    if len(found.first.row) or len(found.then.row):
        _take(turn, memory, found, late)


def _hard(turn: Turn, memory: WithoutMemory, found: Heard, late: Bool) -> I64:
    """Slots, with repeats, whose readings are to be looked at one by one.

    All others have only readings that excuse nothing of earlier batches, and such that need an
    excuse where none did before.
    """
    first, then, condition = found.first, found.then, _condition(turn)
    hard = []
    if np.count_nonzero(late):
        if not condition.same.named:
            late = late & np.isin(first.slot, memory.asked.slot)
        hard.append(first.slot[late])
    if len(first.row) and (again := _again(turn, first, condition.before)) is not None:
        hard.append(first.slot[again])
    if len(then.row):
        hard.append(_hard_to_ask(turn, memory, then))
    if len(found.silences):
        silent = turn.hearing.device[found.silences]
        hard.append(turn.own.slot[silent].astype(np.int64))
    return np.concatenate(hard) if hard else _NONE


def _hard_to_ask(turn: Turn, memory: WithoutMemory, then: Playing) -> I64:
    """The same of readings that need an excuse."""
    condition = _condition(turn)
    if condition.same.named or condition.of.metric == condition.before.metric:
        return then.slot
    again = _again(turn, then, condition.of)
    hard = _NONE if again is None else then.slot[again]
    if len(memory.asked):
        hard = np.concatenate((hard, then.slot[np.isin(then.slot, memory.asked.slot)]))
    return hard


def _late(turn: Turn, memory: WithoutMemory, first: Playing) -> Bool:
    """Which are not later than all readings of their subject in earlier batches."""
    late: Bool = first.time <= memory.floor[first.slot] + (_condition(turn).within + LATE)
    return late


def _again(turn: Turn, readings: Playing, part: Part) -> Bool | None:
    """Which of these readings of one part may have been said twice in this batch; None: none."""
    if turn.hearing.group(BY_NAME[part.metric].id).apart:
        return None
    if _condition(turn).same.named:
        return np.ones(len(readings.row), np.bool_)
    device, time = readings.device, readings.time
    again = np.zeros(len(device), np.bool_)
    again[1:] = (device[1:] == device[:-1]) & (time[1:] == time[:-1])
    again[:-1] |= again[1:]
    return again


def _condition(turn: Turn) -> Without:
    return cast("Without", turn.own.rule.condition)


def _take(turn: Turn, memory: WithoutMemory, found: Heard, late: Bool) -> None:
    """Readings that excuse, and those that need it; none of them is `_hard`.

    late: of those that excuse, which are not later than all of their subject in earlier batches.
    """
    first, then, condition = found.first, found.then, _condition(turn)
    if len(then.row):
        _ask(turn, memory, first, then)
    if np.count_nonzero(late):
        first = first.take(~late | _unknown(memory, first))
    if len(first.row):
        token = np.zeros(len(first.row), np.int64)
        if condition.same.named:
            token = turn.hearing.token.take(first.row)
        role = np.full(len(token), FIRST, np.int8)
        memory.lately.add(first.slot, token=token, time=first.time, device=first.device, role=role)
    slot = np.concatenate((first.slot, then.slot)) if len(then.row) else first.slot
    time = np.concatenate((first.time, then.time)) if len(then.row) else first.time
    raise_floor(memory, slot, time, condition.within + LATE)
    gather(memory.seen, memory.lately, partial(_still_excuse, memory))
    _forget_decided(memory, condition.within)


def _unknown(memory: WithoutMemory, first: Playing) -> Bool:
    """Which are neither too old nor remembered."""
    unknown: Bool = first.time >= memory.floor[first.slot]
    for table in (memory.lately, memory.seen):
        unknown &= ~_any_between(table.slot, table["time"], first.slot, first.time, first.time)
    return unknown


def _ask(turn: Turn, memory: WithoutMemory, first: Playing, then: Playing) -> None:
    """Note which readings have no excuse so far, of the batch or of before."""
    within, slot, end = _condition(turn).within, then.slot, then.time
    begin = end - within
    asks = (end >= memory.floor[slot] + within) & (begin >= memory.unsure[slot])
    order = first.slot.argsort(kind="stable")
    asks &= ~_any_between(first.slot[order], first.time[order], slot, begin, end)
    for table in (memory.lately, memory.seen):
        asks &= ~_any_between(table.slot, table["time"], slot, begin, end)
    if np.count_nonzero(asks):
        new = then.take(asks)
        memory.asked.add(
            new.slot,
            token=np.zeros(len(new.row), np.int64),
            time=new.time,
            device=new.device,
            role=np.full(len(new.row), THEN),
            value=turn.hearing.value.take(new.row),
            decided=np.zeros(len(new.row), np.bool_),
        )
        memory.earliest = min(memory.earliest, int(new.time.min()))


def _any_between(slots: I32 | I64, times: I64, slot: I64, begin: I64, end: I64) -> Bool:
    """Of each slot (k,) whether it has any of these times between two, these included.

    slots, times: of all that there are, by slot.
    """
    low, high = slots.searchsorted(slot), slots.searchsorted(slot, "right")
    sizes = high - low
    starts = sizes.cumsum() - sizes
    owner = np.arange(len(slot)).repeat(sizes)
    time = times[(low - starts).repeat(sizes) + np.arange(len(owner))]
    there = (time >= begin[owner]) & (time <= end[owner])
    any_there = np.zeros(len(slot), np.bool_)
    any_there[owner[there]] = True
    return any_there


def _still_excuse(memory: WithoutMemory) -> Bool:
    still: Bool = memory.seen["time"] >= memory.floor[memory.seen.slot]
    return still


def _forget_decided(memory: WithoutMemory, within: Micros) -> None:
    """Drop what nothing more is said of and nothing can repeat."""
    asked = memory.asked
    if len(asked):
        asked.keep(~asked["decided"] | (asked["time"] >= memory.floor[asked.slot] + within))


def tick(turn: Turn, memory: WithoutMemory, now: Micros) -> None:
    """Tell what has no excuse by `now`; `memory` is changed in place."""
    if memory.earliest >= now:
        return
    asked = memory.asked
    waiting = np.flatnonzero(~asked["decided"] & ~turn.own.away[asked.slot])
    slot, time = asked.slot[waiting], asked["time"][waiting]
    if not len(waiting):
        memory.earliest = FOREVER
        return
    over = time < now - behind(turn, slot)
    memory.earliest = int(time[~over].min(initial=FOREVER))
    if not over.any():
        return
    told = time <= heard_until(turn, slot)
    for row in waiting[over & told].tolist():
        _tell(turn, asked, row)
    asked["decided"][waiting[over]] = True


def _tell(turn: Turn, asked: Table, row: int) -> None:
    subject, device = turn.own.subject(int(asked.slot[row])), int(asked["device"][row])
    if _condition(turn).same.named:
        subject = Subject(SubjectKind.DEVICE, device)
    time, value = int(asked["time"][row]), float(asked["value"][row])
    turn.said.append(
        Transition(
            turn.own.rule,
            subject,
            Change.FIRED,
            Cause.OCCURRED,
            time,
            time,
            (device,),
            value,
            turn.own.rule.severity,
        )
    )


class _Fold:
    """One fold of one rule: what is remembered of the slots that these moments touch."""

    def __init__(self, turn: Turn, memory: WithoutMemory, found: list[Moment]) -> None:
        self.memory, self.found = memory, found
        self.within = _condition(turn).within
        self.turn = turn
        self.touched = touched(turn, memory.asked, found)
        self.new: list[Moment] = []
        self.known = self._remembered()

    def run(self) -> None:
        for moment in self.found:
            if moment.role == SILENCE:
                self._silence(moment)
            if moment.is_then:
                self._ask(moment)
            if moment.is_first:
                self._excuse(moment)
        self._write()

    def _remembered(self) -> _Keys:
        known: _Keys = defaultdict(_Known)
        begin = min(moment.time for moment in self.found) - self.within
        for seen in (self.memory.seen, self.memory.lately):
            rows = np.flatnonzero(touched(self.turn, seen, self.found))
            floor = np.maximum(self.memory.floor[seen.slot[rows]], begin)
            for key, place in _rows(seen, rows[seen["time"][rows] >= floor]):
                known[key].seen[place[:3]] = None
        for key, what in _rows(self.memory.asked, self.touched, "value", "decided"):
            known[key].asked[what[:3]] = _Asked(*what[3:])
        return known

    def _ask(self, moment: Moment) -> None:
        """A reading that needs an excuse."""
        memory, slot = self.memory, moment.slot
        known = self.known[moment.key]
        late = moment.time < memory.floor[slot] + self.within
        unsure = moment.time - self.within < memory.unsure[slot]
        if late or unsure or moment.place in known.asked:
            return
        begin = moment.time - self.within
        if not any(begin <= place[0] and place < moment.place for place in known.seen):
            known.asked[moment.place] = _Asked(moment.value)
            memory.earliest = min(memory.earliest, moment.time)

    def _excuse(self, moment: Moment) -> None:
        """A reading that excuses those that come after it."""
        if moment.time < self.memory.floor[moment.slot]:
            return
        known = self.known[moment.key]
        if moment.place in known.seen:
            return
        known.seen[moment.place] = None
        self.new.append(moment)
        end = moment.time + self.within
        for place, asked in list(known.asked.items()):
            if not asked.decided and moment.place < place and place[0] <= end:
                del known.asked[place]

    def _silence(self, moment: Moment) -> None:
        """What came while an excuse could not be heard is left alone."""
        for (slot, _), known in self.known.items():
            for place, asked in known.asked.items():
                if slot == moment.slot and moment.since < place[0] < moment.time:
                    asked.decided = True
        unsure = self.memory.unsure
        unsure[moment.slot] = max(unsure[moment.slot], moment.time)

    def _write(self) -> None:
        """Put back what the slots remember now, without what is too old."""
        memory = self.memory
        raise_floor(memory, *times_of(self.found), self.within + LATE)
        _add(memory.lately, [(*moment.key, *moment.place) for moment in self.new])
        gather(memory.seen, memory.lately, partial(_still_excuse, memory))
        asked = {
            (*key, *place): one
            for key, known in self.known.items()
            for place, one in known.asked.items()
        }
        if asked != self._asked_before:
            memory.asked.keep(~self.touched)
            _add(memory.asked, [(*key, one.value, one.decided) for key, one in asked.items()])
        _forget_decided(memory, self.within)

    @property
    def _asked_before(self) -> dict[tuple[int, ...], _Asked]:
        rows = _rows(self.memory.asked, self.touched, "value", "decided")
        return {(*key, *what[:3]): _Asked(*what[3:]) for key, what in rows}


def _rows(
    table: Table, which: Rows | Bool, *further: str
) -> Iterator[tuple[tuple[int, int], tuple[Any, ...]]]:
    """These rows: slot and token, and time, role, device and what further is named."""
    names = ("token", "time", "role", "device", *further)
    columns = (table.slot, *(table[name] for name in names))
    for slot, token, *what in zip(*(c[which].tolist() for c in columns), strict=True):
        yield (slot, token), tuple(what)


def _add(table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Put in rows of slot, token, time, role, device and what further the table has."""
    names = ("token", "time", "role", "device", *(n for n in table if n in {"value", "decided"}))
    if rows:
        slot, *columns = zip(*rows, strict=True)
        table.add(slot, **dict(zip(names, columns, strict=True)))
