"""Columns of which most rows hold the same: what was never written takes no memory.

The numbers are kept as the bits in which they differ from the usual one, in an array that begins as
zeros: the operating system hands out a page of it when something else is first written there. So
reading a column costs what an array does, and one that is written everywhere is as large as one.
"""

from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from devices.reading import I32, I64, Bool

Kind = TypeVar("Kind", np.int32, np.int64, np.float64)
Rows: TypeAlias = Any
"""What an array is indexed by: row numbers, a mask, a slice."""

_PORTION = 65_536


class Sparse(Generic[Kind]):
    """Numbers of one type, (n, …), all `usual` until they are written."""

    __slots__ = ("_bits", "_differs", "usual")

    def __init__(self, shape: int | tuple[int, ...], usual: Kind) -> None:
        self.usual: Kind = usual
        self._bits: Any = usual.view(np.dtype(f"i{usual.itemsize}"))
        self._differs: npt.NDArray[np.integer[Any]] = np.zeros(shape, self._bits.dtype)

    def __len__(self) -> int:
        return len(self._differs)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows, and how many numbers in each."""
        return self._differs.shape

    @property
    def dtype(self) -> "np.dtype[Kind]":
        """The type of the numbers."""
        kind: np.dtype[Kind] = self.usual.dtype
        return kind

    def __getitem__(self, rows: Rows) -> npt.NDArray[Kind]:
        """A copy of these rows."""
        numbers: npt.NDArray[Kind] = (self._differs[rows] ^ self._bits).view(self.usual.dtype)
        return numbers

    def __setitem__(self, rows: Rows, numbers: object) -> None:
        self._differs[rows] = self._packed(numbers)

    def put(self, rows: Rows, numbers: object) -> None:
        """As `column[rows] = numbers`, but writes only what changes; the rows are all different."""
        rows = np.asarray(rows)
        new = np.broadcast_to(self._packed(numbers), rows.shape + self.shape[1:])
        changed = self._differs[rows] != new
        changed = changed.any(axis=tuple(range(1, changed.ndim)))
        self._differs[rows[changed]] = new[changed]

    def unusual(self, rows: Rows = slice(None)) -> Bool:
        """Where something else than the usual stands, bool (n, …)."""
        unusual: Bool = self._differs[rows] != 0
        return unusual

    def copy(self) -> "Sparse[Kind]":
        """The same in memory of its own."""
        return self.resized(len(self))

    def resized(self, length: int) -> "Sparse[Kind]":
        """A copy with so many rows: the first ones, or more that hold the usual."""
        twin = Sparse((length, *self.shape[1:]), self.usual)
        for start in range(0, min(length, len(self)), _PORTION):
            portion = self._differs[start : min(start + _PORTION, length)]
            if portion.any():
                twin._differs[start : start + len(portion)] = portion
        return twin

    def _packed(self, numbers: object) -> Any:
        return np.asarray(numbers, self.usual.dtype).view(self._bits.dtype) ^ self._bits


Column: TypeAlias = I64 | I32 | Bool | Sparse[np.int64] | Sparse[np.int32] | Sparse[np.float64]
"""What is remembered of each of many: an array, or one of which little is written."""
