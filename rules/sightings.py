"""At which one device each name was seen, in a table of as many cells as memory allows.

Names that share a cell are taken for one: then they seem to have been seen at several devices, and
whoever asks looks closer. So an answer is never wrong, only now and then of no use.
"""

import numpy as np
import numpy.typing as npt

from devices.instant import NEVER
from devices.reading import I32, I64, Bool
from rules.silence import Ids

_NOWHERE, _SEVERAL = np.int32(-1), np.int32(-2)
_LEAST_BITS, _MOST_BITS, _ROOM = 12, 22, 64
"""2 ** 12 to 2 ** 22 cells (50 MB), else 64 for each reading that is remembered."""

_MIX, _MIX_SLOT = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)


class Sightings:
    """Of the readings that are remembered: slot, token, device ids and times, µs, (k,) each."""

    def __init__(self, slot: I32, token: I64, device: I32, time: I64) -> None:
        wanted = (_ROOM * max(len(slot), 1)).bit_length()
        bits = min(max(_LEAST_BITS, wanted), _MOST_BITS)
        self._shift = np.uint64(64 - bits)
        self._device: I32 = np.full(1 << bits, _NOWHERE)
        self._newest: I64 = np.full(1 << bits, NEVER, np.int64)
        self._left = max(len(slot), (1 << bits) // _ROOM)
        cell = self._cells(slot, token)
        self._device[cell] = device
        self._device[cell[self._device.take(cell) != device]] = _SEVERAL
        np.maximum.at(self._newest, cell, time)

    @property
    def full(self) -> bool:
        """Whether so many readings were noted since it was made that it had better be made anew."""
        return self._left <= 0

    def see(self, slot: I32, token: I64, device: Ids, time: I64) -> Bool:
        """Note these readings too, in the order of their time, (k,).

        Returns of which nothing is known but earlier readings of the same device.
        """
        self._left -= len(slot)
        cell = self._cells(slot, token)
        known = self._device.take(cell)
        alone: Bool = ((known == device) | (known == _NOWHERE)) & (time > self._newest.take(cell))
        order = cell.argsort(kind="stable")
        again = cell[order[1:]] == cell[order[:-1]]
        if np.count_nonzero(again):
            later, earlier = order[1:][again], order[:-1][again]
            alone[later] &= (device[later] == device[earlier]) & (time[later] > time[earlier])
        self._device[cell] = device
        self._device[cell[~alone]] = _SEVERAL
        self._newest[cell] = np.maximum(self._newest.take(cell), time)
        if np.count_nonzero(again):
            alone &= self._device.take(cell) != _SEVERAL
        return alone

    def _cells(self, slot: I32, token: I64) -> npt.NDArray[np.intp]:
        mixed = token.view(np.uint64) * _MIX
        mixed += slot.astype(np.uint64) * _MIX_SLOT
        mixed ^= mixed >> np.uint64(29)
        mixed *= _MIX
        mixed >>= self._shift
        return mixed.astype(np.intp)
