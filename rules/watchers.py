"""Which rules watch a device: the rules of each device are one of few sets of them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from devices.reading import I32, I64

_BITS = 62
"""So many rules have a bit each in a whole number."""


class Watchers:
    """By device id, worked out when it is first asked for. devices: of each rule, ids."""

    def __init__(self, size: int, devices: Sequence[I32]) -> None:
        self._size, self._devices = size, devices

    def of(self, devices: I64) -> set[int]:
        """The numbers of the rules that watch any of these devices."""
        if not len(devices):
            return set()
        which, sets = self._sets
        found = set(which.take(devices).tolist())
        return set[int]().union(*(sets[number] for number in found))

    @cached_property
    def _sets(self) -> tuple[I32, list[tuple[int, ...]]]:
        """Of each device the number of its set; the sets."""
        which: I64 = np.zeros(self._size, np.int64)
        sets: list[tuple[int, ...]] = [()]
        for begin in range(0, len(self._devices), _BITS):
            bits = np.zeros(self._size, np.int64)
            for bit, devices in enumerate(self._devices[begin : begin + _BITS]):
                bits[devices] |= 1 << bit
            which, sets = _finer(which, sets, bits, begin)
        return which.astype(np.int32), sets


def _finer(
    which: I64, sets: list[tuple[int, ...]], bits: I64, begin: int
) -> tuple[I64, list[tuple[int, ...]]]:
    """Sets divided by further rules, of which each device has the bits; begin: their first."""
    known, more = np.unique(bits, return_inverse=True)
    pairs, which = np.unique(which * len(known) + more, return_inverse=True)
    added = [_numbers(mask, begin) for mask in known.tolist()]
    divided = (divmod(pair, len(known)) for pair in pairs.tolist())
    return which, [sets[old] + added[new] for old, new in divided]


def _numbers(mask: int, begin: int) -> tuple[int, ...]:
    return tuple(begin + bit for bit in range(_BITS) if mask >> bit & 1)
