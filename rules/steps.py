"""What happens to a threshold rule's subjects in a batch, step by step: readings and silences."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import numpy.typing as npt

from devices.instant import NEVER, Micros
from devices.reading import F64, I32, I64, Bool
from rules.memory import ThresholdMemory
from rules.model import Threshold
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
    slot: I32
    time: I64
    value: F64
    verdict: Verdicts

    def take(self, rows: Bool) -> "Judged":
        """These of them."""
        return Judged(
            self.row[rows], self.slot[rows], self.time[rows], self.value[rows], self.verdict[rows]
        )

    def last_before(self, slots: I32, times: I64, otherwise: F64) -> F64:
        """The last number of each slot before each time; `otherwise` where there is none here."""
        values = otherwise.copy()
        for i, (slot, time) in enumerate(zip(slots.tolist(), times.tolist(), strict=True)):
            start, end = np.searchsorted(self.slot, [slot, slot + 1])
            row = start + int(np.searchsorted(self.time[start:end], time)) - 1
            if row >= start:
                values[i] = self.value[row]
        return values


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Steps of slots, (k,) each, by slot and order.

    until: the timer is advanced to here before the step: the reading's time; for a silence, when it
    began to count, or NO_GAP · time: the reading's; for a silence, of the reading that ended it
    before: for a silence, when the device had last been heard before it.
    """

    slot: I32
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


def judge(turn: Turn, memory: ThresholdMemory, rows: Rows) -> Judged:
    """The rows that are later than all judged before of their device, with their verdicts."""
    device = turn.hearing.device[rows]
    slot, time = turn.own.slot[device], turn.hearing.time[rows]
    new = (slot >= 0) & (time > memory.judged[slot])
    new[1:] &= (slot[1:] != slot[:-1]) | (time[1:] != time[:-1])
    if not new.all():
        rows, device, slot, time = rows[new], device[new], slot[new], time[new]
    value, attributes = turn.hearing.value[rows], turn.attributes(device)
    condition = cast("Threshold", turn.own.rule.condition)
    true, false = condition.when.judge(value, attributes)
    clear = condition.clear.evaluate(value, attributes) if condition.clear else false
    return Judged(rows, slot, time, value, np.where(true, TRUE, clear).astype(np.int8))


def steps_of(turn: Turn, judged: Judged, rows: Rows) -> Steps:
    """The readings, and before each row that ends a silence a step for it; those that matter.

    With grades, or where an end must last, every reading may.
    """
    steps = Steps(judged.slot, judged.time, judged.time, judged.value, judged.verdict, judged.time)
    if len(rows):
        place = np.concatenate([rows * 2, judged.row * 2 + 1])
        steps = _joined(_silences(turn, rows), steps).take(np.argsort(place))
    rule = turn.own.rule
    every = bool(rule.grades) or cast("Threshold", rule.condition).keep > 0
    return steps if every else steps.take(_matters(steps))


def ends_of_silence(turn: Turn, memory: ThresholdMemory) -> Rows:
    """Rows of any metric at which a device of the rule is heard after a silence."""
    own, hearing = turn.own, turn.hearing
    ends = hearing.gap | hearing.newer if memory.silent.any() else hearing.gap
    rows = np.flatnonzero(ends)
    slot = own.slot[hearing.device[rows]]
    return rows[(slot >= 0) & (hearing.gap[rows] | memory.silent[slot]) & ~own.away[slot]]


def _silences(turn: Turn, rows: Rows) -> Steps:
    hearing = turn.hearing
    device = hearing.device[rows]
    return Steps(
        turn.own.slot[device],
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
