"""Where devices stand in `RulePlan.devices`: the rows of what is remembered by device."""

import numpy as np

from devices.reading import I32, I64
from rules.plan import RulePlan
from rules.turn import Slots


def places_of(own: RulePlan, slots: Slots) -> tuple[I64, I64]:
    """The places of these slots' devices, one slot's after another's; and where each begins."""
    first = own.starts[slots].astype(np.int64)
    sizes = own.starts[slots + 1] - first
    starts: I64 = np.cumsum(sizes) - sizes
    return np.repeat(first - starts, sizes) + np.arange(int(sizes.sum())), starts


def places(own: RulePlan, slot: I32, device: I32) -> I64:
    """The place of each of these devices, each of this slot, (k,)."""
    slots, back = np.unique(slot, return_inverse=True)
    there, starts = places_of(own, slots)
    group = np.repeat(np.arange(len(slots)), np.diff(starts, append=len(there)))
    size = len(own.slot)
    keys = group * size + own.devices[there]
    found: I64 = there[np.searchsorted(keys, back * size + device)]
    return found
