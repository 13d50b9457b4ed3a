"""Which readings of a batch have a part in a rule about two readings that belong together.

What excuses need only hold. What raises must happen: a momentary reading does; of a state or a
measurement the reading counts with which the part's condition begins to hold, so the one before it
of the same device did not, and the device was not silent in between. A reading that is not later
than the last of its device and metric is late, and then tells no beginning. It raises at the rule's
active times only.
"""

from collections.abc import Callable, Sequence
from math import isqrt
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID, BY_NAME
from devices.reading import I32, I64, Bool
from devices.token import NOBODY
from rules.hearing import newest
from rules.model import Joined
from rules.places import places, places_of
from rules.plan import RulePlan
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
from rules.silence import Rows
from rules.table import Table
from rules.turn import Slots, Turn

JoinedMemory: TypeAlias = SequenceMemory | MissingMemory | WithoutMemory

States: TypeAlias = npt.NDArray[np.int8]

SILENCE, FIRST, BOTH, THEN = -1, 0, 1, 2
"""The roles of a moment: a silence ends of a device whose readings excuse; or a reading is the
earlier part, both, or the later."""

_BITS = 0xFFFF
_FEW, _ROOTS = 256, 8

UNKNOWN, NO, YES = 0, 1, 2
"""Whether a part's condition holds at a device."""

_NO, _YES = np.int8(NO), np.int8(YES)


class Moment(NamedTuple):
    """What happens at a subject, in this order: of one instant, what is earlier by its part first.

    time: µs · token: whom it names where that is what joins, else 0 · since: of a silence, when it
    began, µs · heard: in the server's time, µs.
    """

    slot: int
    time: Micros
    role: int
    device: int
    token: int
    value: float
    since: Micros
    heard: Micros

    @property
    def place(self) -> tuple[Micros, int, int]:
        """What the order of two readings of one subject goes by."""
        return self.time, self.role, self.device

    @property
    def key(self) -> tuple[int, int]:
        """With what it may belong together: slot and token."""
        return self.slot, self.token

    @property
    def is_first(self) -> bool:
        """Whether it is a reading that may be the earlier of two."""
        return self.role in {FIRST, BOTH}

    @property
    def is_then(self) -> bool:
        """Whether it is a reading that may be the later of two."""
        return self.role >= BOTH


class Playing(NamedTuple):
    """Readings with a part, by device and time, (k,) each. row: in the hearing."""

    row: Rows
    slot: I64
    device: I64
    time: I64

    def take(self, which: Rows | Bool) -> "Playing":
        """These of them."""
        return Playing(self.row[which], self.slot[which], self.device[which], self.time[which])


class Heard(NamedTuple):
    """What a batch has of a rule: readings that are the earlier part, or the later, or both, and
    the rows at which silences ended of devices whose readings excuse.
    """

    first: Playing
    then: Playing
    silences: Rows

    def roles(self) -> tuple[Rows, I64]:
        """The rows of readings, ascending, and the role of each."""
        first, then = self.first.row, self.then.row
        if np.array_equal(first, then):
            return first, np.full(len(first), BOTH)
        rows = np.union1d(first, then)
        role = np.where(np.isin(rows, first), FIRST, THEN)
        role[np.isin(rows, first) & np.isin(rows, then)] = BOTH
        return rows, role

    def moments(self, turn: Turn) -> list[Moment]:
        """All of it, in order."""
        found = moments_at(turn, *self.roles(), NEVER)
        found += moments_at(turn, self.silences, SILENCE, turn.hearing.until[self.silences])
        found.sort()
        return found


def heard(turn: Turn, memory: JoinedMemory, *, silences: bool) -> Heard:
    """What the batch has of the rule; with `silences` the ends of those too.

    Takes note in `memory`, in place, of which conditions hold.
    """
    first, then = _playing(turn, memory, 0), _playing(turn, memory, 1)
    rows = _gaps(turn)
    if not len(rows):
        return Heard(first, then, rows)
    _forget_held(turn, memory, rows)
    rows = rows[_excusing(turn)[_places(turn.own, turn.hearing.device[rows])]] if silences else rows
    rows = rows[~turn.own.away[turn.own.slot[turn.hearing.device[rows]]]]
    return Heard(first, then, rows if silences else rows[:0])


def moments(turn: Turn, memory: JoinedMemory, *, silences: bool) -> list[Moment]:
    """What the batch has of the rule, as `heard`, in order."""
    found = heard(turn, memory, silences=silences)
    rows = len(found.first.row) + len(found.then.row) + len(found.silences)
    return found.moments(turn) if rows else []


def _gaps(turn: Turn) -> Rows:
    """The rows at which a silence of a device of the rule ended."""
    hearing = turn.hearing
    words = hearing.gaps
    if len(words):
        words = words[turn.own.slot[hearing.words.device.take(words)] >= 0]
    return hearing.first_rows(words)


def moments_at(turn: Turn, rows: Rows, role: I64 | int, since: I64 | Micros) -> list[Moment]:
    """Moments at these rows, all of the rule's devices, in the same order."""
    hearing = turn.hearing
    if not len(rows):
        return []
    device = hearing.device[rows]
    token = hearing.token[rows] if _condition(turn).same.named else np.zeros(len(rows), np.int64)
    columns = (
        turn.own.slot[device],
        hearing.time[rows],
        np.broadcast_to(role, len(rows)),
        device,
        token,
        hearing.value[rows],
        np.broadcast_to(since, len(rows)),
        hearing.heard[rows],
    )
    return [Moment(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _condition(turn: Turn) -> Joined:
    condition: Joined = turn.own.rule.condition  # type: ignore[assignment]
    return condition


def _playing(turn: Turn, memory: JoinedMemory, part: int) -> Playing:
    """The readings with this part, of subjects that are not away."""
    condition, own = _condition(turn), turn.own
    metric, where = BY_NAME[condition.parts[part].metric], condition.parts[part].where
    group = turn.hearing.group(metric.id)
    slot, value = own.slot[group.device].astype(np.int64), group.value
    found = Playing(group.row, slot, group.device, group.time)
    mine = found.slot >= 0
    if condition.same.named:
        mine &= turn.hearing.token.take(found.row) != NOBODY
    if np.count_nonzero(mine) < len(mine):
        found, value = found.take(mine), value[mine]
    holds = ~own.away.take(found.slot)
    if where is not None:
        true, false = turn.judge(where, found.device, value)
        if condition.begins[part] and not BY_ID[metric.id].occurs:
            state = true.view(np.int8) * _YES + false.view(np.int8)
            true = _begins(turn, memory, part, found, state)
        holds &= true
    if condition.begins[part] and np.count_nonzero(holds):
        holds &= own.calendar.is_active(found.time)
    return found if np.count_nonzero(holds) == len(holds) else found.take(holds)


def _begins(turn: Turn, memory: JoinedMemory, part: int, found: Playing, state: States) -> Bool:
    """At which of these readings of one metric the condition begins to hold, bool (k,).

    state: whether it holds there, (k,). What the last of each device says is kept.
    """
    begins = np.zeros(len(found.row), np.bool_)
    place = places(turn.own, found.slot, found.device)
    new = found.time > memory.judged.values[place, part]
    same = found.device[1:] == found.device[:-1]
    if again := np.count_nonzero(same) > 0:
        new[1:] &= ~same | (found.time[1:] != found.time[:-1])
    kept = new.nonzero()[0]
    if len(kept) < len(new):
        found, place, state = found.take(kept), place[kept], state[kept]
        same = found.device[1:] == found.device[:-1]
        again = np.count_nonzero(same) > 0
    if np.count_nonzero(state == _YES):
        before: States = memory.held.values[place, part]
        if again:
            before[1:] = np.where(same, state[:-1], before[1:])
        starts = (state == _YES) & (before == _NO)
        if np.count_nonzero(starts) and len(_gaps(turn)):
            starts &= ~_gap_before(turn, found, same)
        begins[kept] = starts
    time = found.time
    if again:
        last = np.append(~same, True)
        place, state, time = place[last], state[last], time[last]
    memory.held.values[place, part] = state
    memory.judged.values[place, part] = time
    return begins


def _gap_before(turn: Turn, found: Playing, same: Bool) -> Bool:
    """Whether a silence ended between each reading and the one before it, bool (k,).

    same: where that is of the same batch, (k - 1,).
    """
    hearing = turn.hearing
    gaps: I64 = hearing.gap.cumsum()
    until = np.searchsorted(hearing.device, found.device)
    now = gaps[found.row]
    before: I64 = gaps[until] - hearing.gap[until]
    before[1:] = np.where(same, now[:-1], before[1:])
    between: Bool = now != before
    return between


def _forget_held(turn: Turn, memory: JoinedMemory, gap: Rows) -> None:
    """What held at a device is unknown after a silence, which ended at these rows."""
    place, time = _places(turn.own, turn.hearing.device[gap]), turn.hearing.time[gap]
    for part in range(len(_condition(turn).parts)):
        unknown = memory.judged.values[place, part] < time
        memory.held.values[place[unknown], part] = UNKNOWN


def _places(own: RulePlan, device: I32 | I64) -> I64:
    """Where in `RulePlan.devices` each of these devices, all the rule's own, stands, (k,)."""
    return places(own, own.slot[device], device)


def touched(turn: Turn, table: Table, found: Sequence[Moment]) -> Bool:
    """Rows of the keys of these moments; of slots where a silence ended all, bool (k,).

    All rows of some further keys may be among them: tokens are told apart by their last bits, which
    takes a hundredth of the time of looking for each.
    """
    slots = np.zeros(len(turn.own.subject_ids), np.bool_)
    slots[[moment.slot for moment in found]] = True
    tokens = np.zeros(_BITS + 1, np.bool_)
    tokens[np.array([moment.token for moment in found], np.int64) & _BITS] = True
    rows: Bool = slots[table.slot] & tokens[table["token"] & _BITS]
    silent = [moment.slot for moment in found if moment.role == SILENCE]
    if silent:
        slots[:] = False
        slots[silent] = True
        rows |= slots[table.slot]
    return rows


def gather(old: Table, lately: Table, keep: Callable[[], Bool]) -> None:
    """Put what came lately to the rest, once it is much, and drop there all rows but those to keep.

    Until then only the few late rows are moved when others come.
    """
    if len(lately) > max(_FEW, _ROOTS * isqrt(len(old))):
        old.add(lately.slot, **lately.columns)
        lately.keep(np.zeros(len(lately), np.bool_))
        old.keep(keep())


def raise_floor(memory: JoinedMemory, slots: I64, times: I64, keep: Micros) -> None:
    """What is more than `keep`, µs, older than readings of these times is too old from now on."""
    slots, times = newest(slots, times)
    memory.floor.put(slots, np.maximum(memory.floor[slots], times - keep))


def times_of(found: Sequence[Moment]) -> tuple[I64, I64]:
    """The slots and times of the readings among these."""
    readings = [(moment.slot, moment.time) for moment in found if moment.role != SILENCE]
    columns = np.array(readings, np.int64).reshape(-1, 2)
    return columns[:, 0], columns[:, 1]


def heard_to(turn: Turn, slot: int, end: Micros, time: Micros) -> bool:
    """Whether, with what was heard before `time`, no excusing device was silent at `end`."""
    start, stop = turn.own.starts[slot : slot + 2]
    devices = turn.own.devices[start:stop][_excusing(turn)[start:stop]]
    hearing, silence = turn.hearing, turn.silence
    return all(hearing.silent_before(device, time, silence) >= end for device in devices.tolist())


def heard_until(turn: Turn, slots: Slots) -> I64:
    """From when these slots' excusing devices are not all heard, by what was heard, µs (k,)."""
    there, starts = places_of(turn.own, slots)
    until = turn.silence.silent_at(turn.own.devices.take(there))
    until = np.where(_excusing(turn).take(there), until, FOREVER)
    return np.minimum.reduceat(until, starts)


def behind(turn: Turn, slots: Slots) -> I64:
    """How far the slowest excusing device of each is behind the server's clock, µs (k,)."""
    there, starts = places_of(turn.own, slots)
    lag = turn.silence.lag.take(turn.own.devices.take(there))
    lag = np.where(_excusing(turn).take(there), lag, 0)
    return np.maximum.reduceat(lag, starts)


def _excusing(turn: Turn) -> Bool:
    """Which of the rule's devices report the part that need only hold, bool (m,)."""
    excusing: Bool = turn.own.reports[:, _condition(turn).begins.index(False)]
    return excusing
