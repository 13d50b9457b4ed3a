"""Which readings of a batch have a part in a rule about two readings that belong together.

What excuses need only hold. What raises must happen: a momentary reading does; of a state or a
measurement the reading counts with which the part's condition begins to hold, so the one before it
of the same device did not, and the device was not silent in between. A reading that is not later
than the last of its device and metric is late, and then tells no beginning. It raises at the rule's
active times only.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.metric import BY_ID, BY_NAME
from devices.reading import I32, I64, Bool
from devices.token import NOBODY
from rules.model import Joined
from rules.places import places
from rules.plan import RulePlan
from rules.sequence_memory import MissingMemory, SequenceMemory, WithoutMemory
from rules.silence import Rows
from rules.table import Table
from rules.turn import Turn

JoinedMemory: TypeAlias = SequenceMemory | MissingMemory | WithoutMemory

States: TypeAlias = npt.NDArray[np.int8]

SILENCE, FIRST, BOTH, THEN = -1, 0, 1, 2
"""The roles of a moment: a silence ends of a device whose readings excuse; or a reading is the
earlier part, both, or the later."""

_BITS = 0xFFFF
_FEW = 1_024

UNKNOWN, NO, YES = 0, 1, 2
"""Whether a part's condition holds at a device."""


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


def moments(turn: Turn, memory: JoinedMemory, rows: Rows, *, silences: bool) -> list[Moment]:
    """These rows of the rule's metrics that have a part, and with `silences` the ends of those.

    Takes note in `memory`, in place, of which conditions hold.
    """
    slot = turn.own.slot[turn.hearing.device[rows]]
    rows = rows[slot >= 0]
    first, then = (_playing(turn, memory, part, rows) for part in (0, 1))
    active = turn.own.calendar.is_active(turn.hearing.time[rows])
    begins = _condition(turn).begins
    first, then = first & (active | (not begins[0])), then & (active | (not begins[1]))
    _forget_held(turn, memory)
    role = np.where(first & then, BOTH, np.where(first, FIRST, THEN))
    playing = first | then
    found = _moments(turn, rows[playing], role[playing], NEVER)
    if silences:
        found += _silences(turn)
    found.sort()
    return found


def _moments(turn: Turn, rows: Rows, role: I64 | int, since: I64 | Micros) -> list[Moment]:
    hearing = turn.hearing
    device = hearing.device[rows]
    slot = turn.own.slot[device]
    token = hearing.token[rows] if _condition(turn).same.named else np.zeros(len(rows), np.int64)
    columns = (
        slot,
        hearing.time[rows],
        np.broadcast_to(role, len(rows)),
        device,
        token,
        hearing.value[rows],
        np.broadcast_to(since, len(rows)),
        hearing.heard[rows],
    )
    there = ~turn.own.away[slot]
    return [Moment(*row) for row in zip(*(c[there].tolist() for c in columns), strict=True)]


def _silences(turn: Turn) -> list[Moment]:
    hearing = turn.hearing
    rows = np.flatnonzero(hearing.gap)
    rows = rows[turn.own.slot[hearing.device[rows]] >= 0]
    rows = rows[_excusing(turn)[_places(turn.own, hearing.device[rows])]]
    return _moments(turn, rows, SILENCE, hearing.until[rows])


def _condition(turn: Turn) -> Joined:
    condition: Joined = turn.own.rule.condition  # type: ignore[assignment]
    return condition


def _playing(turn: Turn, memory: JoinedMemory, part: int, rows: Rows) -> Bool:
    """Which of these rows have this part, bool (k,)."""
    condition, hearing = _condition(turn), turn.hearing
    metric, where = BY_NAME[condition.parts[part].metric], condition.parts[part].where
    playing: Bool = hearing.metric[rows] == metric.id
    if condition.same.named:
        playing &= hearing.token[rows] != NOBODY
    if where is None:
        return playing
    mine = np.flatnonzero(playing)
    device = hearing.device[rows[mine]]
    holds, fails = where.judge(hearing.value[rows[mine]], turn.attributes(device))
    if condition.begins[part] and not BY_ID[metric.id].occurs:
        state = np.where(holds, YES, np.where(fails, NO, UNKNOWN)).astype(np.int8)
        holds = _begins(turn, memory, part, rows[mine], state)
    playing[mine] = holds
    return playing


def _begins(turn: Turn, memory: JoinedMemory, part: int, rows: Rows, state: States) -> Bool:
    """At which of these rows, of one metric, the condition begins to hold, bool (k,).

    state: whether it holds there, (k,). What the last row of each device says is kept.
    """
    hearing, begins = turn.hearing, np.zeros(len(rows), np.bool_)
    device, time = hearing.device[rows], hearing.time[rows]
    place = _places(turn.own, device)
    new = time > memory.judged.values[place, part]
    new[1:] &= (device[1:] != device[:-1]) | (time[1:] != time[:-1])
    kept = np.flatnonzero(new)
    if not len(kept):
        return begins
    device, place, state = device[kept], place[kept], state[kept]
    same = np.zeros(len(kept), np.bool_)
    same[1:] = device[1:] == device[:-1]
    before = np.where(same, np.roll(state, 1), memory.held.values[place, part])
    gaps = np.cumsum(hearing.gap)
    until = np.searchsorted(hearing.device, device)
    heard = np.where(same, np.roll(gaps[rows[kept]], 1), gaps[until] - hearing.gap[until])
    begins[kept] = (state == YES) & (before == NO) & (gaps[rows[kept]] == heard)
    last = np.append(~same[1:], True)
    memory.held.values[place[last], part] = state[last]
    memory.judged.values[place[last], part] = time[kept][last]
    return begins


def _forget_held(turn: Turn, memory: JoinedMemory) -> None:
    """What held at a device is unknown after a silence in which it may have changed."""
    hearing = turn.hearing
    gap = np.flatnonzero(hearing.gap)
    gap = gap[turn.own.slot[hearing.device[gap]] >= 0]
    if not len(gap):
        return
    metrics = [BY_NAME[part.metric].id for part in _condition(turn).parts]
    place, time = _places(turn.own, hearing.device[gap]), hearing.time[gap]
    for part in range(len(metrics)):
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
    if len(lately) > max(_FEW, len(old) // 8):
        old.add(lately.slot, **lately.columns)
        lately.keep(np.zeros(len(lately), np.bool_))
        old.keep(keep())


def raise_floor(memory: JoinedMemory, found: Sequence[Moment], keep: Micros) -> None:
    """What is more than `keep`, µs, older than these readings, is too old from now on."""
    latest = {moment.slot: moment.time for moment in found if moment.role != SILENCE}
    slots = np.fromiter(latest, np.intp, len(latest))
    floor = np.fromiter(latest.values(), np.int64, len(latest)) - keep
    memory.floor.put(slots, np.maximum(memory.floor[slots], floor))


def heard_to(turn: Turn, slot: int, end: Micros, time: Micros) -> bool:
    """Whether, with what was heard before `time`, no excusing device was silent at `end`."""
    start, stop = turn.own.starts[slot : slot + 2]
    devices = turn.own.devices[start:stop][_excusing(turn)[start:stop]]
    hearing, silence = turn.hearing, turn.silence
    return all(hearing.silent_before(device, time, silence) >= end for device in devices.tolist())


def heard_until(turn: Turn) -> I64:
    """From when each slot's excusing devices are not all heard, by what was heard, µs (n,)."""
    until = np.where(_excusing(turn), turn.silence.silent_at(turn.own.devices), FOREVER)
    return np.minimum.reduceat(until, turn.own.starts[:-1])


def behind(turn: Turn) -> I64:
    """How far the slowest excusing device of each slot is behind the server's clock, µs (n,)."""
    lag = np.where(_excusing(turn), turn.silence.lag[turn.own.devices], 0)
    return np.maximum.reduceat(lag, turn.own.starts[:-1])


def _excusing(turn: Turn) -> Bool:
    """Which of the rule's devices report the part that need only hold, bool (m,)."""
    excusing: Bool = turn.own.reports[:, _condition(turn).begins.index(False)]
    return excusing
