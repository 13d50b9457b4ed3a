"""One rule's turn at one batch: what it looks at, and the transitions that it tells of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.reading import F64, I64
from rules.hearing import Hearing
from rules.plan import Plan, RulePlan
from rules.silence import Ids, Silence
from rules.transition import Cause, Change, Transition

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
    ) -> None:
        """Note this change of these slots, all (k,); NaN values are told as None.

        devices: those that caused it; by default all of the subject.
        """
        if not len(slots):
            return
        values = np.full(len(slots), np.nan) if value is None else value
        causes = self._all_devices(slots) if devices is None else devices
        columns = zip(
            slots.tolist(), since.tolist(), at.tolist(), values.tolist(), causes, strict=True
        )
        for slot, begun, when, number, ids in columns:
            told = None if np.isnan(number) else number
            subject = self.own.subject(slot)
            self.said.append(
                Transition(self.own.rule, subject, change, cause, begun, when, ids, told)
            )

    def _all_devices(self, slots: Slots) -> list[tuple[int, ...]]:
        return [tuple(self.own.devices_of(slot).tolist()) for slot in slots.tolist()]
