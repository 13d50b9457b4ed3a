"""Where devices stand in `RulePlan.devices`: the rows of what is remembered by device."""

from typing import NamedTuple

import numpy as np

from devices.reading import I32, I64, Bool
from rules.panes import bisect
from rules.plan import RulePlan
from rules.silence import Ids, Rows


class Places(NamedTuple):
    """Places of slots' devices, (k,), one slot's after another's; starts: where each begins."""

    there: I64
    starts: I64

    def spread(self, column: I64) -> I64:
        """Of each place the number of its slot, (k,): column has one for each of the slots."""
        return column.repeat(np.diff(self.starts, append=len(self.there)))


def places_of(own: RulePlan, slots: Ids | Rows) -> Places:
    """The places of these slots' devices."""
    first = own.starts.take(slots).astype(np.int64)
    if len(own.devices) == len(own.subject_ids):
        return Places(first, np.arange(len(first)))
    sizes = own.starts.take(slots + 1) - first
    starts: I64 = sizes.cumsum() - sizes
    return Places((first - starts).repeat(sizes) + np.arange(int(sizes.sum())), starts)


def places(own: RulePlan, slot: Ids | Rows, device: I32 | I64) -> I64:
    """The place of each of these devices, each of this slot, (k,)."""
    if len(own.devices) == len(own.subject_ids):
        return slot.astype(np.int64)
    found = own.devices.searchsorted(device.astype(own.devices.dtype))
    found = np.minimum(found, len(own.devices) - 1)
    if (own.devices.take(found) == device).all():
        return found
    low, high = own.starts.take(slot), own.starts.take(slot + 1)
    return bisect(own.devices, low.astype(np.int64), high.astype(np.int64), device)


def among(slots: I64, some: I64) -> Bool:
    """Which of these slots, (k,), are among some others, at least one but few."""
    ones = np.unique(some)
    found = np.minimum(ones.searchsorted(slots), len(ones) - 1)
    there: Bool = ones.take(found) == slots
    return there
