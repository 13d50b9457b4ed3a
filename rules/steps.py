"""What happens to a threshold rule's subjects in a batch, step by step: readings and silences."""

from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import numpy.typing as npt

from devices.instant import NEVER, Micros
from devices.reading import F64, I64, Bool
from rules.expression import Expression
from rules.finite import mask_of
from rules.hearing import Group
from rules.memory import ThresholdMemory
from rules.model import NoData, Threshold
from rules.silence import Rows
from rules.turn import Turn

Verdicts = npt.NDArray[np.int8]

UNDECIDED, CLEAR, TRUE, SILENCE, LOST = 0, 1, 2, 3, 4
"""What a step says: neither `when` nor `clear` holds, `clear` does, `when` does; or a silence, the
device's own or for want of its gateway."""

NO_GAP: Micros = NEVER // 2
"""In `Steps.until`: the device was silent for the server only, not by its own clock."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Readings of the rule's metric that count, by slot and time, (k,) each."""

    row: Rows
    slot: I64
    time: I64
    value: F64
    verdict: Verdicts

    def take(self, rows: Rows | Bool) -> "Judged":
        """These of them."""
        return Judged(
            self.row[rows], self.slot[rows], self.time[rows], self.value[rows], self.verdict[rows]
        )

    def last_before(self, slots: I64, times: I64, otherwise: F64) -> F64:
        """The last number of each slot before each time; `otherwise` where there is none here."""
        values = otherwise.copy()
        for i, (slot, time) in enumerate(zip(slots.tolist(), times.tolist(), strict=True)):
            start, end = np.searchsorted(self.slot, [slot, slot + 1])
            row = start + int(np.searchsorted(self.time[start:end], time)) - 1
            if row >= start:
                values[i] = self.value[row]
        return values


NO_ROWS: Rows = np.empty(0, np.intp)
NOTHING = Judged(
    NO_ROWS,
    np.empty(0, np.int64),
    np.empty(0, np.int64),
    np.empty(0, np.float64),
    np.empty(0, np.int8),
)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Steps of slots, (k,) each, by slot and order.

    until: the timer is advanced to here before the step: the reading's time; for a silence, when it
    began to count, or NO_GAP · time: the reading's; for a silence, of the reading that ended it
    before: for a silence, when the device had last been heard before it.
    """

    slot: I64
    until: I64
    time: I64
    value: F64
    verdict: Verdicts
    before: I64

    def take(self, rows: Rows | Bool) -> "Steps":
        """These of them."""
        return Steps(
            self.slot[rows],
            self.until[rows],
            self.time[rows],
            self.value[rows],
            self.verdict[rows],
            self.before[rows],
        )


class Listened(NamedTuple):
    """The readings that a rule looks at, by slot and time, (k,); rules with the same subjects share
    it. single: no device has two.
    """

    row: Rows
    slot: I64
    device: I64
    time: I64
    value: F64
    single: bool

    def take(self, which: Rows) -> "Listened":
        """These of them."""
        return Listened(
            self.row.take(which),
            self.slot.take(which),
            self.device.take(which),
            self.time.take(which),
            self.value.take(which),
            self.single,
        )


_UNHEARD = Listened(
    NOTHING.row, NOTHING.slot, NOTHING.slot, NOTHING.time, NOTHING.value, single=True
)


def listened(turn: Turn) -> Listened:
    """The readings of the rule's metric of the devices that it watches."""
    return _watched(turn, turn.hearing.group(turn.own.metric))


def _screened(turn: Turn) -> Listened:
    """Those of them that a rule on thresholds looks at."""
    group = turn.screened.groups.get(turn.own.metric)
    return _UNHEARD if group is None else _watched(turn, group)


def _watched(turn: Turn, group: Group) -> Listened:
    column = turn.own.slot
    known = group.shared.get(id(column))
    if isinstance(known, Listened):
        return known
    slot = column[group.device].astype(np.int64)
    found = Listened(group.row, slot, group.device, group.time, group.value, group.single)
    mine = slot >= 0
    if np.count_nonzero(mine) < len(mine):
        found = found.take(mine.nonzero()[0])
    group.shared[id(column)] = found
    return found


class Heeded(NamedTuple):
    """What a rule heeds in a batch.

    stirring: readings of subjects for which anything can change, all of each · ends: the rows of
    whatever metric at which silences of such subjects end · slot: of all that may have anything
    going after it.
    """

    stirring: Judged
    ends: Rows
    slot: I64


def heed(turn: Turn, memory: ThresholdMemory) -> Heeded:
    """What there is to heed for a rule that is true for a time."""
    heard, ends = _screened(turn), NO_ROWS
    if turn.unsettled:
        ends = ends_of_silence(turn, memory)
    if not (len(heard.slot) or len(ends)):
        return Heeded(NOTHING, ends, NOTHING.slot)
    stirs = holds(turn, cast("Threshold", turn.own.rule.condition).when, heard)
    slot = heard.slot
    stirs |= memory.firing.take(slot)
    stirs |= memory.pending.unusual(slot)
    which = stirs.nonzero()[0]
    if len(ends) or not (heard.single or not len(which)):
        stirred = set(slot.take(which).tolist())
        ends = _of_stirred(turn, memory, ends, stirred)
        which = _places(slot, stirred)
    if not len(which):
        return Heeded(NOTHING, ends, NOTHING.slot)
    stirring = judged_as(turn, heard.take(which) if len(which) < len(slot) else heard)
    held, away = stirring.slot, turn.own.away.take(stirring.slot)
    stirring = stirring.take(~away) if np.count_nonzero(away) else stirring
    return Heeded(stirring, ends, held)


def occurrences(turn: Turn, memory: ThresholdMemory) -> Judged:
    """What there is to heed for a rule on a momentary metric: readings for which `when` holds.

    Those of people who are away are among them.
    """
    heard = _screened(turn)
    which = holds(turn, cast("Threshold", turn.own.rule.condition).when, heard).nonzero()[0]
    if not len(which):
        return NOTHING
    return judged_as(turn, _not_judged_before(memory, heard.take(which)))


def _of_stirred(turn: Turn, memory: ThresholdMemory, ends: Rows, stirred: set[int]) -> Rows:
    """The ends of silences of subjects that are stirred, or that the silence itself stirs."""
    slot = turn.own.slot[turn.hearing.device[ends]].astype(np.int64)
    stirs = memory.firing.take(slot) | memory.pending.unusual(slot)
    if turn.own.rule.no_data is NoData.ALERT:
        stirs |= True
    stirred.update(slot[stirs].tolist())
    return ends[np.fromiter((one in stirred for one in slot.tolist()), np.bool_, len(slot))]


def _places(slot: I64, wanted: set[int]) -> Rows:
    """Where any of these stand in ascending slots."""
    ones = np.fromiter(sorted(wanted), np.int64, len(wanted))
    start, end = slot.searchsorted(ones), slot.searchsorted(ones, "right")
    places = [np.arange(*pair) for pair in zip(start.tolist(), end.tolist(), strict=True)]
    return np.concatenate(places or [slot[:0]])


def _not_judged_before(memory: ThresholdMemory, heard: Listened) -> Listened:
    """Those later than the last judged of their device, each time once."""
    slot, time = heard.slot, heard.time
    new = time > memory.judged[slot]
    new[1:] &= (slot[1:] != slot[:-1]) | (time[1:] != time[:-1])
    return heard if np.count_nonzero(new) == len(new) else heard.take(new.nonzero()[0])


def holds(turn: Turn, when: Expression, heard: Listened) -> Bool:
    """Where the condition certainly holds."""
    mask = mask_of(when) if turn.hearing.finite else None
    if mask is not None:
        return mask(heard.value)
    return when.evaluate(heard.value, turn.attributes(heard.device))


def judged_as(turn: Turn, heard: Listened) -> Judged:
    """These readings with their verdicts."""
    condition = cast("Threshold", turn.own.rule.condition)
    true, clear = turn.judge(condition.when, heard.device, heard.value)
    if condition.clear:
        clear, _ = turn.judge(condition.clear, heard.device, heard.value)
    verdict = clear.astype(np.int8)
    verdict[true] = TRUE
    return Judged(heard.row, heard.slot, heard.time, heard.value, verdict)


def steps_of(turn: Turn, memory: ThresholdMemory, judged: Judged, rows: Rows) -> Steps:
    """The readings, and before each row that ends a silence a step for it; those that matter.

    With grades, or where an end must last, every reading may; so it may where readings may have
    been said before a silence that stands for itself, or with which an alert has lapsed.
    """
    steps = Steps(judged.slot, judged.time, judged.time, judged.value, judged.verdict, judged.time)
    if len(rows):
        place = np.concatenate([rows * 2, judged.row * 2 + 1])
        steps = _joined(_silences(turn, rows), steps).take(np.argsort(place))
    rule = turn.own.rule
    every = bool(rule.grades) or cast("Threshold", rule.condition).keep > 0
    every = every or rule.no_data is NoData.CLEAR
    every = every or bool(np.count_nonzero(memory.by_silence.take(judged.slot)))
    every = every or bool(np.count_nonzero((steps.verdict >= SILENCE) & _before_silence(steps)))
    return steps if every else steps.take(_matters(steps))


def _before_silence(steps: Steps) -> Bool:
    """Silences that ended no later than their devices were last heard, or became known."""
    before: Bool = steps.time <= steps.before
    return before


def ends_of_silence(turn: Turn, memory: ThresholdMemory) -> Rows:
    """Rows of any metric at which a device of the rule is heard after a silence."""
    own, hearing = turn.own, turn.hearing
    words = hearing.gaps
    if turn.screened.returned:
        newer = hearing.newers
        slot = own.slot[hearing.words.device.take(newer)]
        silent = memory.silent.take(slot)
        silent &= slot >= 0
        words = np.union1d(words, newer[silent])
    if len(words):
        slot = own.slot[hearing.words.device.take(words)]
        words = words[(slot >= 0) & ~own.away.take(slot)]
    return hearing.first_rows(words)


def _silences(turn: Turn, rows: Rows) -> Steps:
    hearing = turn.hearing
    device = hearing.device[rows]
    return Steps(
        turn.own.slot[device].astype(np.int64),
        np.where(hearing.gap[rows], hearing.until[rows], NO_GAP),
        hearing.time[rows],
        np.full(len(rows), np.nan),
        np.where(hearing.missed[rows], SILENCE, LOST).astype(np.int8),
        hearing.before[rows],
    )


def _joined(one: Steps, other: Steps) -> Steps:
    return Steps(
        np.concatenate([one.slot, other.slot]),
        np.concatenate([one.until, other.until]),
        np.concatenate([one.time, other.time]),
        np.concatenate([one.value, other.value]),
        np.concatenate([one.verdict, other.verdict]),
        np.concatenate([one.before, other.before]),
    )


def _matters(steps: Steps) -> Bool:
    """Where a step can change anything.

    Saying again what the one before said does not, save that the last one advances the timer.
    """
    matters = np.ones(len(steps.slot), np.bool_)
    other = steps.slot[1:] != steps.slot[:-1]
    matters[1:] = other | (steps.verdict[1:] != steps.verdict[:-1]) | (steps.verdict[1:] >= SILENCE)
    matters[:-1] |= other & (steps.verdict[:-1] == TRUE)
    matters[-1:] |= steps.verdict[-1:] == TRUE
    return matters
