"""One rule's turn at one batch: what it looks at, and the transitions that it tells of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import isnan, nan
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import Micros
from devices.reading import F64, I32, I64
from rules.expression import Expression
from rules.finite import mask_of
from rules.grading import Ranks, rank_of, ranks_of
from rules.hearing import Hearing
from rules.model import GRAVEST_FIRST
from rules.newest import Newest
from rules.places import places_of
from rules.plan import Plan, RulePlan, per_of
from rules.screen import Screened
from rules.silence import Ids, Silence
from rules.transition import Cause, Change, Subject, Transition
from rules.tree import Judged, Values

Slots: TypeAlias = npt.NDArray[np.int32] | npt.NDArray[np.intp]


@dataclass(slots=True, eq=False)
class Turn:
    """silence, newest: while readings are folded, as before the batch; while timers fire, as after
    it · screened: which of its readings rules on thresholds look at.

    said: transitions, each subject's in the order of telling · stirred: slots of which something
    may have changed in this batch, for the timers to look at.
    """

    plan: Plan
    own: RulePlan
    hearing: Hearing
    silence: Silence
    newest: Newest
    screened: Screened
    said: list[Transition] = field(default_factory=list)
    stirred: list[npt.NDArray[np.int64]] = field(default_factory=list)

    def attributes(self, devices: Ids) -> Mapping[str, F64]:
        """The attributes that the rule uses, of each of these devices."""
        return {name: self.plan.attributes[name][devices] for name in self.own.attributes}

    def newest_values(self, slots: Slots) -> F64:
        """The newest number of each slot's one device, NaN where there is none."""
        return self.newest.value.take(self._cells(slots))

    def hold(self, slots: Slots) -> None:
        """Have calm readings looked at too of each slot's one device, until they end it."""
        self.newest.astir.cell[self._cells(slots)] = True

    @property
    def unsettled(self) -> bool:
        """Whether a silence may matter to it that ended, or moved other than to later."""
        return self.own.metric in self.screened.unsettled

    def _cells(self, slots: Slots) -> I64:
        return self.plan.cells.of(self.own.devices.take(slots), self.own.metric)

    def lag(self, slots: Slots) -> I64:
        """How far behind the server's clock the last of each slot's devices is, µs."""
        return self._reduced(self.silence.lag.take, slots, np.maximum)

    def silent_at(self, slots: Slots) -> I64:
        """From when nothing is heard any more of any device of each slot, unless heard again."""
        return self._reduced(self.silence.silent_at, slots, np.maximum)

    def first_silent_at(self, slots: Slots) -> I64:
        """From when the first of the devices of each slot is silent, unless heard again."""
        return self._reduced(self.silence.silent_at, slots, np.minimum)

    def heard_to(self, slot: int, end: Micros, time: Micros) -> bool:
        """Whether, with what was heard before `time`, no device of the slot was silent at `end`.

        While readings are folded.
        """
        return all(
            self.hearing.silent_before(device, time, self.silence) >= end
            for device in self.own.devices_of(slot).tolist()
        )

    def _reduced(self, of: Callable[[I32], I64], slots: Slots, how: np.ufunc) -> I64:
        """What these slots' devices have, put together slot by slot, (k,)."""
        if not len(slots):
            return np.empty(0, np.int64)
        there, starts = places_of(self.own, slots)
        values = of(self.own.devices.take(there))
        reduced: I64 = how.reduceat(values, starts)
        return reduced

    def judge(self, when: Expression, devices: Ids, values: F64) -> Judged:
        """Where the condition certainly holds for these values of these devices, and where not."""
        mask = mask_of(when) if self.hearing.finite else None
        if mask is None:
            return when.judge(values, self.attributes(devices))
        holds = mask(values)
        return holds, ~holds

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
        numbers = [nan] * len(slots) if value is None else value.tolist()
        causes = self._all_devices(slots) if devices is None else devices
        rule, kind = self.own.rule, per_of(self.own.rule).subject
        grades = [rank_of(rule)] * len(slots) if ranks is None else ranks.tolist()
        columns = (self.own.subject_ids.take(slots).tolist(), since.tolist(), at.tolist(), numbers)
        before = [None] * len(slots) if was is None else [GRAVEST_FIRST[r] for r in was.tolist()]
        rows = zip(*columns, causes, grades, before, strict=True)
        for one, begun, when, number, ids, rank, had in rows:
            told = None if isnan(number) else number
            subject, severity = Subject(kind, one), GRAVEST_FIRST[rank]
            self.said.append(
                Transition(rule, subject, change, cause, begun, when, ids, told, severity, had)
            )

    def _all_devices(self, slots: Slots) -> list[tuple[int, ...]]:
        first, last = self.own.starts.take(slots), self.own.starts.take(slots + 1)
        places = zip(first.tolist(), last.tolist(), strict=True)
        return [tuple(self.own.devices[start:end].tolist()) for start, end in places]
