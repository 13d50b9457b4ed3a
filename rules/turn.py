"""One rule's turn at one batch: what it looks at, and the transitions that it tells of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import Micros
from devices.reading import F64, I64
from rules.grading import Ranks, rank_of, ranks_of
from rules.hearing import Hearing
from rules.model import GRAVEST_FIRST
from rules.plan import Plan, RulePlan
from rules.silence import Ids, Silence
from rules.transition import Cause, Change, Transition
from rules.tree import Values

Slots: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.intp]


@dataclass(slots=True, eq=False)
class Turn:
    """silence: while readings are folded, as before the batch; while timers fire, as after it.

    said: transitions, each subject's in the order of telling · stirred: slots of which something
    may have changed in this batch, for the timers to look at.
    """

    plan: Plan
    own: RulePlan
    hearing: Hearing
    silence: Silence
    said: list[Transition] = field(default_factory=list)
    stirred: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def attributes(self, devices: Ids) -> Mapping[str, F64]:
        """The attributes that the rule uses, of each of these devices."""
        return {name: self.plan.attributes[name][devices] for name in self.own.attributes}

    def lag(self, slots: Slots) -> I64:
        """How far behind the server's clock the last of each slot's devices is, µs."""
        return self.of_devices(self.silence.lag, slots, np.maximum)

    def silent_at(self, slots: Slots) -> I64:
        """From when nothing is heard any more of any device of each slot, unless heard again."""
        own = self.own
        return self._reduced(self.silence.silent_at(own.devices), slots, np.maximum)

    def first_silent_at(self, slots: Slots) -> I64:
        """From when the first of the devices of each slot is silent, unless heard again."""
        return self._reduced(self.silence.silent_at(self.own.devices), slots, np.minimum)

    def heard_to(self, slot: int, end: Micros, time: Micros) -> bool:
        """Whether, with what was heard before `time`, no device of the slot was silent at `end`.

        While readings are folded.
        """
        return all(
            self.hearing.silent_before(device, time, self.silence) >= end
            for device in self.own.devices_of(slot).tolist()
        )

    def of_devices(self, column: I64, slots: Slots, how: np.ufunc) -> I64:
        """A column by device id, of the devices of each slot put together, e.g. by np.maximum."""
        return self._reduced(column[self.own.devices], slots, how)

    def _reduced(self, values: I64, slots: Slots, how: np.ufunc) -> I64:
        if not len(slots) or not len(values):
            return np.zeros(len(slots), np.int64)
        reduced: I64 = how.reduceat(values, self.own.starts[:-1])
        return reduced[slots]

    def ranks_by(self, values: Values) -> Ranks | None:
        """The ranks of the colours at these numbers; None where all are alike."""
        return ranks_of(self.own.rule, values, {}) if self.own.rule.grades else None

    def ranks(self, devices: Ids, values: F64) -> Ranks | None:
        """The ranks of the colours at these values of these devices; None where all are alike."""
        rule = self.own.rule
        return ranks_of(rule, values, self.attributes(devices)) if rule.grades else None

    def tell(
        self,
        change: Change,
        cause: Cause,
        slots: Slots,
        *,
        since: I64,
        at: I64,
        value: F64 | None = None,
        devices: Iterable[tuple[int, ...]] | None = None,
        ranks: Ranks | None = None,
        was: Ranks | None = None,
    ) -> None:
        """Note this change of these slots, all (k,); NaN values are told as None.

        devices: those that caused it; by default all of the subject · ranks: of their colours; by
        default the rule's · was: of their colours before, where these change.
        """
        if not len(slots):
            return
        values = np.full(len(slots), np.nan) if value is None else value
        causes = self._all_devices(slots) if devices is None else devices
        rule = self.own.rule
        grades = [rank_of(rule)] * len(slots) if ranks is None else ranks.tolist()
        numbers = (column.tolist() for column in (slots, since, at, values))
        before = [None] * len(slots) if was is None else [GRAVEST_FIRST[r] for r in was.tolist()]
        columns = zip(*numbers, causes, grades, before, strict=True)
        for slot, begun, when, number, ids, rank, had in columns:
            told = None if np.isnan(number) else number
            subject, severity = self.own.subject(slot), GRAVEST_FIRST[rank]
            self.said.append(
                Transition(rule, subject, change, cause, begun, when, ids, told, severity, had)
            )

    def _all_devices(self, slots: Slots) -> list[tuple[int, ...]]:
        return [tuple(self.own.devices_of(slot).tolist()) for slot in slots.tolist()]
