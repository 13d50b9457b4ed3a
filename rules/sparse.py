"""Columns of which most rows hold the same: what was never written takes no memory.

The numbers are kept as the bits in which they differ from the usual one, in an array that begins as
zeros: the operating system hands out a page of it when something else is first written there. So
reading a column costs what an array does, and one that is written everywhere is as large as one.
"""

from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from devices.reading import F64, I32, I64, Bool

Kind = TypeVar("Kind", np.int32, np.int64, np.float32, np.float64)
Rows: TypeAlias = Any
"""What an array is indexed by: row numbers, a mask, a slice."""

Numbers: TypeAlias = npt.NDArray[Any]

_PORTION = 65_536


class Sparse(Generic[Kind]):
    """Numbers of one type, (n, …), all `usual` until they are written."""

    __slots__ = ("_bits", "_differs", "_kept", "_written", "dtype", "usual")

    def __init__(self, shape: int | tuple[int, ...], usual: Kind) -> None:
        self.usual: Kind = usual
        self.dtype: np.dtype[Kind] = usual.dtype
        self._kept = np.dtype(f"i{usual.itemsize}")
        self._bits: Any = usual.view(self._kept)
        self._written = False
        self._differs: npt.NDArray[np.integer[Any]] = np.zeros(shape, self._kept)

    def __len__(self) -> int:
        return len(self._differs)

    @property
    def shape(self) -> tuple[int, ...]:
        """How many rows, and how many numbers in each."""
        return self._differs.shape

    def __getitem__(self, rows: Rows) -> npt.NDArray[Kind]:
        """A copy of these rows."""
        if isinstance(rows, np.ndarray) and rows.dtype == np.intp:
            if not self._written:
                return np.full((*rows.shape, *self.shape[1:]), self.usual)
            found: Any = self._differs.take(rows, axis=0)
            found ^= self._bits
            quick: npt.NDArray[Kind] = found.view(self.dtype)
            return quick
        numbers: npt.NDArray[Kind] = (self._differs[rows] ^ self._bits).view(self.dtype)
        return numbers

    def __setitem__(self, rows: Rows, numbers: object) -> None:
        self._differs[rows] = self._packed(numbers)
        self._written = True

    def put(self, rows: Rows, numbers: object) -> None:
        """As `column[rows] = numbers`, but writes only what changes.

        rows: row numbers, all different · numbers: one, or as many as there are rows.
        """
        new = self._packed(numbers)
        if not (self._written or np.count_nonzero(new)):
            return
        changed = self._differs[rows] != new
        if changed.any():
            if changed.ndim > 1:
                changed = changed.any(axis=1)
            self._differs[rows[changed]] = new[changed] if new.ndim else new
            self._written = True

    def unusual(self, rows: Rows = slice(None)) -> Bool:
        """Where something else than the usual stands, bool (n, …)."""
        if not self._written:
            return np.zeros(self._differs[rows].shape, np.bool_)
        quick = isinstance(rows, np.ndarray) and rows.dtype == np.intp
        differs = self._differs.take(rows, axis=0) if quick else self._differs[rows]
        unusual: Bool = differs != 0
        return unusual

    @property
    def untouched(self) -> bool:
        """Whether nothing was ever written."""
        return not self._written

    def unlike(self, rows: npt.NDArray[np.intp]) -> npt.NDArray[Kind] | None:
        """A copy of these rows, by number; None where all hold the usual."""
        if not self._written:
            return None
        found: Any = self._differs.take(rows, axis=0)
        if not np.count_nonzero(found):
            return None
        found ^= self._bits
        numbers: npt.NDArray[Kind] = found.view(self.dtype)
        return numbers

    def copy(self) -> "Sparse[Kind]":
        """The same in memory of its own."""
        return self.resized(len(self))

    def resized(self, length: int) -> "Sparse[Kind]":
        """A copy with so many rows: the first ones, or more that hold the usual."""
        twin = Sparse((length, *self.shape[1:]), self.usual)
        if not self._written:
            return twin
        twin._written = True
        for start in range(0, min(length, len(self)), _PORTION):
            portion = self._differs[start : min(start + _PORTION, length)]
            # As truth values of single bytes: looking for one is quickest so.
            if portion.view(np.bool_).any():
                twin._differs[start : start + len(portion)] = portion
        return twin

    def _packed(self, numbers: object) -> Any:
        if not (isinstance(numbers, np.ndarray) and numbers.dtype == self.dtype):
            numbers = np.asarray(numbers, self.dtype)
        return numbers.view(self._kept) ^ self._bits


Column: TypeAlias = (
    I64
    | I32
    | F64
    | Bool
    | Sparse[np.int64]
    | Sparse[np.int32]
    | Sparse[np.float32]
    | Sparse[np.float64]
)
"""What is remembered of each of many: an array, or one of which little is written."""
