"""What is remembered in another number than one row per subject: per device, or as many as needed.

`ByDevice` has one number for each device of a rule, `Table` any number of rows, each of a subject.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.reading import I32, Bool

Numbers = npt.NDArray[Any]


class ByDevice:
    """A column of one row for each of `RulePlan.devices`, in their order. values: (m, …)."""

    __slots__ = ("usual", "values")

    def __init__(self, m: int, usual: np.generic, width: int = 0) -> None:
        shape = (m, width) if width else (m,)
        self.usual = usual
        self.values: Numbers = np.full(shape, usual, usual.dtype)

    def copy(self) -> "ByDevice":
        """The same in memory of its own."""
        twin = object.__new__(ByDevice)
        twin.usual, twin.values = self.usual, self.values.copy()
        return twin


class Table:
    """Rows of subjects, k of them: `slot` ascending, int32 (k,), and columns by name, (k,) each.

    Rows of one slot stay in the order in which they were put in.
    """

    __slots__ = ("columns", "kinds", "slot")

    def __init__(self, **kinds: np.dtype[Any] | type[Any]) -> None:
        self.kinds: Mapping[str, np.dtype[Any]] = {n: np.dtype(k) for n, k in kinds.items()}
        self.slot: I32 = np.empty(0, np.int32)
        self.columns: dict[str, Numbers] = {n: np.empty(0, k) for n, k in self.kinds.items()}

    def __len__(self) -> int:
        return len(self.slot)

    def __getitem__(self, name: str) -> Numbers:
        return self.columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    def add(self, slot: npt.ArrayLike, **columns: npt.ArrayLike) -> None:
        """Put in these rows, each after those of its slot."""
        slots = np.concatenate([self.slot, np.asarray(slot, np.int32)])
        order = np.argsort(slots, kind="stable")
        self.slot = slots.take(order)
        for name, kind in self.kinds.items():
            joined = np.concatenate([self.columns[name], np.asarray(columns[name], kind)])
            self.columns[name] = joined.take(order)

    def keep(self, which: Bool) -> None:
        """Drop all other rows."""
        if not which.all():
            self.slot = self.slot[which]
            self.columns = {name: column[which] for name, column in self.columns.items()}

    def moved(self, slots: I32) -> "Table":
        """A copy with the rows of each slot given to `slots[slot]`; dropped where that is < 0."""
        twin = Table(**self.kinds)
        target = slots[self.slot]
        rows = np.flatnonzero(target >= 0)
        twin.add(target[rows], **{name: column[rows] for name, column in self.columns.items()})
        return twin

    def copy(self) -> "Table":
        """The same in memory of its own."""
        return self.moved(np.arange(int(self.slot.max(initial=-1)) + 1, dtype=np.int32))


def joined(tables: Sequence[Table], offsets: Sequence[int]) -> Table:
    """The rows of several tables as one, their slots counted from these offsets."""
    whole = Table(**tables[0].kinds)
    for table, offset in zip(tables, offsets, strict=True):
        whole.add(table.slot + offset, **table.columns)
    return whole
