"""Rows that wait for those that come late: rules with a `lateness` judge the stream so much later.

They are a plain evaluator over what is delayed. A row waits until its time is so long ago, and
counts as having arrived so much earlier, but not before its time. So what comes within the lateness
is judged by time, whatever the order in which it came.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from devices.instant import Micros
from devices.reading import Batch, Bool, concatenate
from rules.newest import Newest
from rules.silence import Silence
from rules.words import not_ahead


@dataclass(slots=True, eq=False)
class Waiting:
    """What rules of one lateness have heard, and what they have not heard yet.

    silence, newest: as in `State` · covered: bool by device id, whose rows wait here · parts: rows,
    none dated after its arrival.
    """

    silence: Silence
    newest: Newest
    covered: Bool
    parts: list[Batch] = field(default_factory=list)

    def copy(self) -> "Waiting":
        """The same in columns of its own, but for the rows, which nobody changes."""
        return Waiting(self.silence.copy(), self.newest.copy(), self.covered, list(self.parts))

    @property
    def rows(self) -> Batch:
        """All that wait."""
        return concatenate(self.parts)

    def put(self, batch: Batch) -> None:
        """Let these wait, but for those of devices that no rule of this lateness looks at."""
        ours = (batch.device >= 0) & (batch.device < len(self.covered))
        ours[ours] = self.covered[batch.device[ours]]
        if ours.any():
            mine = batch.take(ours)
            self.parts.append(replace(mine, time=not_ahead(mine)))

    def release(self, now: Micros, lateness: Micros) -> Batch:
        """The rows of a time up to `now`, which is the lateness ago; by time, ties always alike."""
        come = [part.take(part.time <= now) for part in self.parts if part.time.min() <= now]
        if not come:
            return Batch.empty()
        self.parts[:] = _left(self.parts, now)
        batch = concatenate(come)
        ties = (batch.arrival, batch.issue, batch.token, batch.value, batch.metric)
        rows = np.lexsort((*ties, batch.device, batch.time))
        batch = batch.take(rows)
        return replace(batch, arrival=np.maximum(batch.time, batch.arrival - lateness))


def _left(parts: Sequence[Batch], now: Micros) -> list[Batch]:
    left = [part if part.time.min() > now else part.take(part.time > now) for part in parts]
    return [part for part in left if len(part)]
