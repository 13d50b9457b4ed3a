"""A window that moves in steps: panes of one step each, in a ring of cells per subject.

Pane k holds what was read from k steps after the epoch on, for one step. Step j ends j steps after
the epoch; its window is the `count` panes before that end. Panes that lie ahead of the next step to
be judged have cells too, because judging waits for devices that are behind, for up to `patience`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from devices.instant import SECOND, Micros
from devices.reading import I64, Bool

MOST = 60
"""Panes of a window where the rule does not say: a number is then at most 1/60 window old."""


def usual_step(within: Micros) -> Micros:
    """The shortest step, of at least a second, that divides the window into at most MOST panes."""
    counts = range(min(MOST, within // SECOND), 0, -1)
    return within // next((count for count in counts if within % count == 0), 1)


@dataclass(frozen=True, slots=True)
class Panes:
    """step: µs · count: panes in a window."""

    step: Micros
    count: int

    @property
    def patience(self) -> Micros:
        """How long, µs, a step is not judged because of devices that are behind: 1/4 window."""
        return max(1, self.count // 4) * self.step

    @property
    def ahead(self) -> int:
        """How many panes from the next step to be judged on have a cell."""
        return self.patience // self.step + 3

    @property
    def cells(self) -> int:
        """Cells of the ring: the window, the pane that has just left it, and those ahead."""
        return self.count + self.ahead + 1

    def held(self, steps: I64) -> I64:
        """The pane in each cell, (k, cells), when these steps (k,) are judged."""
        oldest = steps[:, None] - self.count - 1
        held: I64 = oldest + (np.arange(self.cells) - oldest) % self.cells
        return held

    def last_before(self, times: I64) -> I64:
        """The last step that ended before these times, µs."""
        return (times - 1) // self.step

    def first_from(self, times: I64) -> I64:
        """The first step that ends at these times or later, µs."""
        return -(-times // self.step)

    def first_after(self, times: I64) -> I64:
        """The first step that ends later than these times, µs."""
        return times // self.step + 1


def within(held: I64, steps: I64, count: int) -> Bool:
    """Which of these panes (k, cells) lie in the windows of `count` panes of these steps (k,)."""
    ends = steps[:, None]
    return (held >= ends - count) & (held < ends)


def bisect(
    values: npt.NDArray[np.int64] | npt.NDArray[np.int32],
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
    wanted: npt.NDArray[np.int64] | npt.NDArray[np.int32],
) -> npt.NDArray[np.int64]:
    """Of each k the first place in values[low[k]:high[k]], ascending, that is >= wanted[k]."""
    low, high = low.astype(np.int64), high.astype(np.int64)
    while (open_ := low < high).any():
        middle = np.where(open_, (low + high) // 2, 0)
        less = open_ & (values[middle] < wanted)
        low, high = np.where(less, middle + 1, low), np.where(open_ & ~less, middle, high)
    return low
