"""Correlation rules: true when so many different devices say the same within `within`.

Of each device the last reading for which `when` holds counts, at its own time, whatever the order
in which they came. The rule fires at the time of the last of them, since the first. Devices that
join while it fires are named when it ends. It ends `within` after the last such reading, but not
while one of those that took part has not said otherwise since, where the metric lasts; and only if
none of them had fallen silent by then. What took part in a span is not counted in another.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, cast

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID
from devices.reading import I32, I64, Bool
from rules.backlog import Backlog, Came
from rules.finite import mask_of
from rules.model import Correlation
from rules.places import among, places_of
from rules.plan import NOBODY, RulePlan
from rules.silence import Rows
from rules.spans import FORGOTTEN
from rules.sparse import Sparse
from rules.table import ByDevice
from rules.transition import Cause, Change
from rules.turn import Slots, Turn


@dataclass(slots=True, eq=False)
class CorrelationMemory:
    """By device, int64 (m,), µs; by slot (n,).

    judged: time of the last reading taken · last: of the last for which `when` holds · ended: of
    the first after that for which it does not, FOREVER before that one; `last` itself where the
    metric is momentary · firing · since: when the span began · spent: readings up to here belong to
    spans that have ended · going: ids of those of which `ended` is FOREVER, None until they are
    looked up · backlog: readings of others for which `when` does not hold, which are not in
    `judged` yet · laid: where each device stands. These three are never saved.
    """

    judged: ByDevice
    last: ByDevice
    ended: ByDevice
    firing: Bool
    since: Sparse[np.int64]
    spent: Sparse[np.int64]
    earliest: Micros = FORGOTTEN
    going: frozenset[int] | None = None
    laid: "Laid | None" = None
    backlog: Backlog = field(default_factory=Backlog)


class Laid(NamedTuple):
    """Of a plan's devices of the rule the places, int32 by device id, NOBODY for others."""

    devices: I32
    place: I32


def fresh_correlation(n: int, m: int) -> CorrelationMemory:
    """Of n subjects with m devices of which nothing was heard."""
    never = np.int64(NEVER)
    return CorrelationMemory(
        judged=ByDevice(m, never),
        last=ByDevice(m, never),
        ended=ByDevice(m, never),
        firing=np.zeros(n, np.bool_),
        since=Sparse(n, never),
        spent=Sparse(n, never),
    )


def fold(turn: Turn, memory: CorrelationMemory, _rows: Rows) -> None:
    """Take the rows of the rule's metric; `memory` is changed in place."""
    own, came = turn.own, _asked(turn, memory)
    if came is None:
        return
    device, time, value, *_ = came
    slot = own.slot[device].astype(np.int64)
    mine = (slot >= 0) & ~own.away.take(slot)
    if np.count_nonzero(mine) < len(mine):
        slot, device, time, value = slot[mine], device[mine], time[mine], value[mine]
    place = _places(own, memory, device)
    holds = turn.judge(cast("Correlation", own.rule.condition).when, device, value)
    asked = holds[0] | (memory.ended.values.take(place) == FOREVER)
    if np.count_nonzero(asked):
        mine = among(place, place[asked])
        read = _Read(slot[mine], device[mine], place[mine], time[mine])
        events = _events(turn, memory, read, (holds[0][mine], holds[1][mine]))
        for some in _by_slot(events.slot):
            _Group(turn, memory, int(events.slot[some[0]])).take(events.take(some))
    np.maximum.at(memory.judged.values, place, time)


def _asked(turn: Turn, memory: CorrelationMemory) -> Came | None:
    """The readings by which anything may change, None where there are none; others are put aside.

    They are those of devices that are going, or of which one holds. Of such as are going none is in
    the backlog: what came before is in `judged`.
    """
    group, own = turn.hearing.group(turn.own.metric), turn.own
    when = cast("Correlation", own.rule.condition).when
    came = Came(group.device, group.time, group.value)
    mask = mask_of(when) if turn.hearing.finite else None
    if mask is None:
        settle(own, memory)
        return came
    if memory.going is None:
        memory.going = frozenset(own.devices[memory.ended.values == FOREVER].tolist())
    holding = came.device[mask(came.value)]
    if len(holding):
        settle(own, memory)
    asked = None
    if len(holding) or not memory.going.isdisjoint(came.device.tolist()):
        going = np.fromiter(memory.going, np.int64, len(memory.going))
        theirs = among(came.device, np.concatenate([going, holding]))
        asked, came = _taken(came, theirs), _taken(came, ~theirs)
    else:
        came = _taken(came, slice(None))
    memory.backlog.add(came)
    if memory.backlog.urgent:
        settle(own, memory)
    return asked


def _taken(came: Came, which: Bool | slice) -> Came:
    """Copies of these, lest they keep the columns of the whole batch in memory."""
    return Came(came.device[which].copy(), came.time[which].copy(), came.value[which].copy())


def settle(own: RulePlan, memory: CorrelationMemory) -> None:
    """Note the times of the readings in the backlog, in place; nothing else is to be done by them.

    own: as when they were heard.
    """
    parts = memory.backlog.take()
    if not parts:
        return
    device = np.concatenate([part.device for part in parts])
    time = np.concatenate([part.time for part in parts])
    slot = own.slot[device]
    mine = (slot >= 0) & ~own.away.take(slot)
    device, time = device[mine], time[mine]
    np.maximum.at(memory.judged.values, _places(own, memory, device), time)


def _places(own: RulePlan, memory: CorrelationMemory, device: I64) -> I64:
    """Where each of these devices of the rule stands among them."""
    laid = memory.laid
    if laid is None or laid.devices is not own.devices:
        column = np.full(len(own.slot), NOBODY, np.int32)
        column[own.devices] = np.arange(len(own.devices), dtype=np.int32)
        laid = memory.laid = Laid(own.devices, column)
    return laid.place.take(device).astype(np.int64)


class _Read(NamedTuple):
    """Readings by device and time, (k,) each."""

    slot: I64
    device: I64
    place: I64
    time: I64


class _Events(NamedTuple):
    """Readings by slot and time, (k,) each. holds: whether `when` does, or does not."""

    slot: I64
    place: I64
    time: I64
    holds: Bool

    def take(self, which: Rows) -> "_Events":
        slot, place = self.slot.take(which), self.place.take(which)
        return _Events(slot, place, self.time.take(which), self.holds.take(which))


def _events(
    turn: Turn, memory: CorrelationMemory, read: _Read, holds: tuple[Bool, Bool]
) -> _Events:
    """These in order, each time of a device once, but for what comes late and what is unknown."""
    slot, device, place, time = read
    new = time > memory.judged.values.take(place)
    new[1:] &= (device[1:] != device[:-1]) | (time[1:] != time[:-1])
    true = holds[0] & turn.own.calendar.is_active(time)
    which = (new & (true | holds[1])).nonzero()[0]
    which = which[np.lexsort((device[which], time[which], slot[which]))]
    return _Events(slot[which], place[which], time[which], true[which])


def _by_slot(slot: I64) -> list[Rows]:
    """The rows of each run of equal slots."""
    if not len(slot):
        return []
    return np.split(np.arange(len(slot)), np.flatnonzero(np.diff(slot)) + 1)


class _Group:
    """The devices of one slot, one event after another: only what qualifies comes here."""

    def __init__(self, turn: Turn, memory: CorrelationMemory, slot: int) -> None:
        self._turn, self._memory, self._slot = turn, memory, slot
        self._start, end = turn.own.starts[slot : slot + 2].tolist()
        self._last = memory.last.values[self._start : end]
        self._ended = memory.ended.values[self._start : end]
        self._condition = cast("Correlation", turn.own.rule.condition)
        self._lasts = not BY_ID[turn.own.metric].occurs
        self._earliest_end = self._newest() + self._condition.within if self._firing else FOREVER

    def take(self, events: _Events) -> None:
        """Events of the slot, by time."""
        columns = (events.place, events.time, events.holds)
        for place, time, holds in zip(*(c.tolist() for c in columns), strict=True):
            if holds:
                self._hold(place - self._start, time)
            elif self._ended[place - self._start] == FOREVER:
                self._ended[place - self._start] = time
                self._memory.going = None
        self._memory.earliest = FORGOTTEN

    @property
    def _firing(self) -> bool:
        return bool(self._memory.firing[self._slot])

    def _newest(self) -> Micros:
        return int(self._last.max())

    def _hold(self, place: int, time: Micros) -> None:
        if time > self._earliest_end:
            self._expire(time)
        self._last[place] = time
        if self._lasts and self._ended[place] != FOREVER:
            self._memory.going = None
        self._ended[place] = FOREVER if self._lasts else time
        if self._firing:
            self._earliest_end = max(self._earliest_end, time + self._condition.within)
        else:
            self._look(time)

    def _expire(self, time: Micros) -> None:
        """End, before a reading at this time, what had ended by then and was heard to the end."""
        memory, slots = self._memory, np.array([self._slot])
        end = int(_ends(self._turn, memory, slots)[0])
        hearing, silence = self._turn.hearing, self._turn.silence
        if end < time and all(
            hearing.silent_before(device, time, silence) >= end
            for device in _parts(self._turn, memory, self._slot)
        ):
            _clear(self._turn, memory, slots, np.array([end]))
            self._earliest_end = FOREVER

    def _look(self, time: Micros) -> None:
        """Fire where enough devices said so around this time."""
        needed, within = self._condition.devices, self._condition.within
        spent = int(self._memory.spent[self._slot])
        near = (self._last > spent) & (np.abs(self._last - time) <= within)
        times = np.sort(self._last[near])
        if len(times) < needed:
            return
        spans = np.flatnonzero(times[needed - 1 :] - times[: len(times) - needed + 1] <= within)
        if len(spans):
            since, at = int(times[spans[0]]), int(times[spans[0] + needed - 1])
            self._fire(since, at)

    def _fire(self, since: Micros, at: Micros) -> None:
        memory, slot = self._memory, np.array([self._slot])
        memory.firing[slot], memory.since[slot] = True, since
        self._earliest_end = self._newest() + self._condition.within
        ids = self._turn.own.devices_of(self._slot)[(self._last >= since) & (self._last <= at)]
        self._turn.tell(
            Change.FIRED,
            Cause.COUNT_REACHED,
            slot,
            since=np.array([since]),
            at=np.array([at]),
            value=np.array([float(len(ids))]),
            devices=[tuple(ids.tolist())],
        )


def tick(turn: Turn, memory: CorrelationMemory, now: Micros) -> None:
    """End what has ended before `now` and was heard to the end; `memory` is changed in place."""
    if memory.earliest >= now:
        return
    own = turn.own
    slot = np.flatnonzero(memory.firing & ~own.away)
    end = _ends(turn, memory, slot)
    over = end < now - turn.lag(slot)
    heard = [
        int(
            turn.silence.silent_at(np.array(_parts(turn, memory, one), np.int32)).min(
                initial=FOREVER
            )
        )
        for one in slot[over].tolist()
    ]
    memory.earliest = int(end[~over].min(initial=FOREVER))
    ended = np.flatnonzero(over)[end[over] <= np.array(heard, np.int64)]
    _clear(turn, memory, slot[ended], end[ended])
    if len(ended) < len(heard):
        memory.earliest = FORGOTTEN


def _ends(turn: Turn, memory: CorrelationMemory, slots: Slots) -> I64:
    """When the span of each of these firing slots ends, by what was heard so far."""
    if not len(slots):
        return np.empty(0, np.int64)
    place, starts = places_of(turn.own, slots)
    last, ended = memory.last.values[place], memory.ended.values[place]
    since = np.repeat(memory.since[slots], np.diff(starts, append=len(place)))
    newest = np.maximum.reduceat(last, starts)
    said: I64 = np.maximum.reduceat(np.where(last >= since, ended, NEVER), starts)
    within = cast("Correlation", turn.own.rule.condition).within
    ends: I64 = np.maximum(newest + within, said)
    return ends


def _parts(turn: Turn, memory: CorrelationMemory, slot: int) -> list[int]:
    """The devices that take part in the span of this firing slot."""
    start, end = turn.own.starts[slot : slot + 2].tolist()
    took = memory.last.values[start:end] >= int(memory.since[slot])
    parts: list[int] = turn.own.devices_of(slot)[took].tolist()
    return parts


def _clear(turn: Turn, memory: CorrelationMemory, slots: Slots, at: I64) -> None:
    """These spans have ended; told with all who took part."""
    parts = [tuple(_parts(turn, memory, slot)) for slot in slots.tolist()]
    since = memory.since[slots]
    memory.firing[slots] = False
    for slot in slots.tolist():
        start, end = turn.own.starts[slot : slot + 2].tolist()
        memory.spent[slot] = int(memory.last.values[start:end].max())
    turn.tell(
        Change.CLEARED,
        Cause.CONDITION_ENDED,
        slots,
        since=since,
        at=at,
        value=np.array([float(len(some)) for some in parts]),
        devices=parts,
    )
