"""From a hash to the rows that may be meant: open addressing over one array, without objects.

A Python dict of a million keys takes a hundred megabytes and more, this 8. It holds rows only:
whoever asks compares the row with the key itself. Of equal keys the later row is found first.
"""

from collections.abc import Iterator

import numpy as np

from devices.reading import I64

_PORTION = 65_536
"""Rows put in at a time: so what is needed meanwhile stays small."""


class Lookup:
    """Rows 0 … n-1 by the hash of their keys.

    A row stands in `table`, one greater than it is (0: nobody), at its hash and `mask`, or at the
    first place after that which was free.
    """

    def __init__(self, hashes: I64, rows: I64 | None = None) -> None:
        """hashes: `hash` of each key, in this process · rows: whose they are; all in order."""
        size = 1 << max(3, (2 * len(hashes) - 1).bit_length())
        table = np.zeros(size, np.uint32)
        for start in range((len(hashes) - 1) // _PORTION * _PORTION, -1, -_PORTION):
            part = slice(start, start + _PORTION)
            numbers = np.arange(start, start + len(hashes[part])) if rows is None else rows[part]
            _put(table, hashes[part], numbers)
        self.mask = size - 1
        self.table = table.data

    def rows(self, hashed: int) -> Iterator[int]:
        """The rows that may have a key with this hash, the latest first."""
        table, mask = self.table, self.mask
        at = hashed & mask
        while mark := table[at]:
            yield mark - 1
            at = (at + 1) & mask


def _put(table: "np.ndarray[tuple[int], np.dtype[np.uint32]]", hashes: I64, rows: I64) -> None:
    """Each row at the first free place from its own on; where several meet, the latest."""
    mask = len(table) - 1
    place, marks = hashes & mask, (rows + 1).astype(np.uint32)
    while len(marks):
        free = table[place] == 0
        table[place[free]] = marks[free]
        left = table[place] != marks
        place, marks = (place[left] + 1) & mask, marks[left]
