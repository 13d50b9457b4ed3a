"""Succession rules: true at each `then` that comes within `within` after a `first`.

A `then` answers every `first` before it that fits and is not answered yet, and is told since the
last of them; so no `first` is told of twice. Each is an occurrence of its own, which a person ends.
Both are remembered for a while, so that a `first` that comes late finds the `then` after it, also
in a later batch. Of one instant the earlier is whatever has the earlier part, and then the device
with the lower id.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import TypeAlias, cast

import numpy as np

from devices.instant import NEVER, SECOND, Micros
from devices.reading import I64
from rules.joining import BOTH, Moment, gather, heard, moments_at, raise_floor, touched
from rules.model import SubjectKind, Succession
from rules.sequence_memory import LATE, SequenceMemory
from rules.sightings import Sightings
from rules.silence import Rows
from rules.table import Table
from rules.transition import Cause, Change, Subject, Transition
from rules.turn import Turn

FIRST_USED, THEN_USED = 1, 2
"""Bits of `used`: the reading was answered, and it was an answer."""

_Key: TypeAlias = tuple[int, int]


@dataclass(slots=True)
class _Seen:
    """A reading with a part. row: where it is remembered, counted through both tables; -1: new."""

    time: Micros
    role: int
    device: int
    used: int = 0
    row: int = -1

    @property
    def place(self) -> tuple[Micros, int, int]:
        return self.time, self.role, self.device


def fold(turn: Turn, memory: SequenceMemory, _rows: Rows) -> None:
    """Join the rows of the rule's metrics; `memory` is changed in place."""
    rows, role = heard(turn, memory, silences=False).roles()
    slot, time = turn.own.slot[turn.hearing.device.take(rows)], turn.hearing.time.take(rows)
    known = (time >= memory.floor[slot]).nonzero()[0]
    if not len(known):
        return
    if len(known) < len(rows):
        rows, role, slot, time = rows[known], role[known], slot[known], time[known]
    loud, theirs = rows, role
    if _needs_another_device(turn):
        loud, theirs = _put_away(turn, memory, rows, role)
    found = moments_at(turn, loud, theirs, NEVER)
    if found:
        found.sort()
        _Fold(turn, memory, found).run()
    condition, seen = cast("Succession", turn.own.rule.condition), memory.seen
    raise_floor(memory, slot.astype(np.int64), time, condition.within + LATE)
    gather(seen, memory.lately, lambda: seen["time"] >= memory.floor[seen.slot])


def tick(_turn: Turn, _memory: SequenceMemory, _now: Micros) -> None:
    """Nothing follows from time alone."""


def _needs_another_device(turn: Turn) -> bool:
    """Whether two readings of one device never belong together."""
    condition = cast("Succession", turn.own.rule.condition)
    return condition.same.named and (condition.elsewhere or condition.speed > 0)


def _put_away(turn: Turn, memory: SequenceMemory, rows: Rows, role: I64) -> tuple[Rows, I64]:
    """Remember the readings of whom nothing is known but earlier ones of the same device.

    Nothing follows from them yet. Returns the others, and the role of each.
    """
    hearing = turn.hearing
    rows, role = rows[order := hearing.time.take(rows).argsort(kind="stable")], role[order]
    device, time, token = (
        hearing.device.take(rows),
        hearing.time.take(rows),
        hearing.token.take(rows),
    )
    slot = turn.own.slot[device]
    quiet = _sightings(memory).see(slot, token, device, time)
    memory.lately.add(
        slot[quiet],
        token=token[quiet],
        time=time[quiet],
        device=device[quiet],
        role=role[quiet],
        used=np.zeros(np.count_nonzero(quiet), np.int8),
    )
    return rows[~quiet], role[~quiet]


def _sightings(memory: SequenceMemory) -> Sightings:
    """What is known of the readings that are remembered."""
    if memory.sightings is None or memory.sightings.full:
        tables = (memory.seen, memory.lately)
        slot = np.concatenate([table.slot for table in tables])
        token, device, time = (
            np.concatenate([table[name] for table in tables])
            for name in ("token", "device", "time")
        )
        memory.sightings = Sightings(slot, token, device, time)
    return memory.sightings


class _Fold:
    """One fold of one rule: what is remembered of the keys that these moments touch."""

    def __init__(self, turn: Turn, memory: SequenceMemory, found: list[Moment]) -> None:
        self.turn, self.memory, self.found = turn, memory, found
        self.condition = cast("Succession", turn.own.rule.condition)
        self.seen = self._remembered()
        self.changed = False

    def run(self) -> None:
        for moment in self.found:
            self._take(moment)
        if self.changed:
            self._write()

    def _remembered(self) -> defaultdict[_Key, list[_Seen]]:
        """What may matter to these moments: of their keys, and neither too old nor before them."""
        begin = min(moment.time for moment in self.found) - self.condition.within
        known: defaultdict[_Key, list[_Seen]] = defaultdict(list)
        names, before = ("token", "time", "role", "device", "used"), 0
        for table in self._tables:
            rows = np.flatnonzero(touched(self.turn, table, self.found))
            floor = np.maximum(self.memory.floor[table.slot[rows]], begin)
            rows = rows[table["time"][rows] >= floor]
            columns = (table.slot[rows], *(table[name][rows] for name in names), rows + before)
            for slot, token, *what in zip(*(c.tolist() for c in columns), strict=True):
                known[slot, token].append(_Seen(*what))
            before += len(table)
        return known

    @property
    def _tables(self) -> tuple[Table, Table]:
        return self.memory.seen, self.memory.lately

    def _take(self, moment: Moment) -> None:
        seen = self.seen[moment.key]
        if any(other.place == moment.place for other in seen):
            return
        new = _Seen(moment.time, moment.role, moment.device)
        if moment.is_then:
            self._answer(moment, new, seen)
        if moment.is_first:
            self._find_answer(moment, new, seen)
        seen.append(new)
        self.changed = True

    def _answer(self, moment: Moment, then: _Seen, seen: list[_Seen]) -> None:
        fitting = [first for first in seen if self._fit(first, then)]
        waiting = [first for first in fitting if not first.used & FIRST_USED]
        for first in waiting:
            first.used |= FIRST_USED
        if waiting:
            then.used |= THEN_USED
            last = max(waiting, key=lambda first: first.place)
            if self.condition.same.named or not self._is_told(last.time, seen, waiting):
                self._tell(moment, last, then)

    def _is_told(self, since: Micros, seen: list[_Seen], waiting: list[_Seen]) -> bool:
        """Whether something since that instant was told of the subject: then it is the same."""
        others = (first for first in seen if first not in waiting)
        return any(first.time == since and first.used & FIRST_USED for first in others)

    def _find_answer(self, moment: Moment, first: _Seen, seen: list[_Seen]) -> None:
        """The answer to a `first` that came late."""
        fitting = sorted((s for s in seen if self._fit(first, s)), key=lambda then: then.place)
        if not fitting:
            return
        first.used |= FIRST_USED
        if not any(then.used & THEN_USED for then in fitting):
            fitting[0].used |= THEN_USED
            self._tell(moment, first, fitting[0])

    def _fit(self, first: _Seen, then: _Seen) -> bool:
        """Whether the one may be the earlier and the other the later of a sequence."""
        if first.role > BOTH or then.role < BOTH or first.place >= then.place:
            return False
        span = then.time - first.time
        if span > self.condition.within or (
            self.condition.elsewhere and first.device == then.device
        ):
            return False
        return not self.condition.speed or span < self._walk(first.device, then.device)

    def _walk(self, one: int, other: int) -> float:
        """How long the way between two devices takes at the rule's speed, µs."""
        x, y = (self.turn.plan.attributes[name] for name in ("x", "y"))
        metres = float(np.hypot(x[one] - x[other], y[one] - y[other]))
        return metres / self.condition.speed * SECOND

    def _tell(self, moment: Moment, first: _Seen, then: _Seen) -> None:
        own = self.turn.own
        subject = own.subject(moment.slot)
        if self.condition.same.named:
            subject = Subject(SubjectKind.DEVICE, then.device)
        devices = tuple(sorted({first.device, then.device}))
        self.turn.said.append(
            Transition(
                own.rule,
                subject,
                Change.FIRED,
                Cause.OCCURRED,
                first.time,
                then.time,
                devices,
                1.0,
                own.rule.severity,
            )
        )

    def _write(self) -> None:
        """Note what is used now, and put in what is new."""
        before = 0
        for table in self._tables:
            end = before + len(table)
            mine = [s for seen in self.seen.values() for s in seen if before <= s.row < end]
            table["used"][[s.row - before for s in mine]] = [s.used for s in mine]
            before = end
        new = [(*key, s) for key, seen in self.seen.items() for s in seen if s.row < 0]
        self.memory.lately.add(
            [slot for slot, _, _ in new],
            token=[token for _, token, _ in new],
            time=[s.time for _, _, s in new],
            device=[s.device for _, _, s in new],
            role=[s.role for _, _, s in new],
            used=[s.used for _, _, s in new],
        )
