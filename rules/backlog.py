"""Readings that measures over windows have heard and not counted yet.

What comes matters to a window only when a step is judged, so most batches are only kept. Rules over
the same metric keep the same columns of a batch.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from devices.instant import Micros
from devices.reading import F64, I32, I64
from rules.hearing import Group
from rules.silence import Rows
from rules.turn import Turn

MOST_ROWS, MOST_PARTS = 65_536, 2_048
"""What is kept at most, in readings and in batches, before it is counted though no step is due."""

_KEY = id(MOST_ROWS)


class Came(NamedTuple):
    """The readings of a metric in a batch, each time of a device once, by device and time, (k,).

    device: ids, int64 · start: the first step in whose window each counts; None where for all that
    is the one at whose end its pane ends · token: whom each names, 0 where nobody; None where that
    does not matter.
    """

    device: I64
    time: I64
    value: F64
    start: I64 | None = None
    token: I64 | None = None


class Arrived(NamedTuple):
    """With it, (k,): its rows in the hearing, when each was heard, how far behind its device was.

    first: the least of the times · last: when the last was heard; µs.
    """

    came: Came
    row: Rows
    heard: I64
    lag: I64
    first: Micros
    last: Micros


def arrived(turn: Turn) -> Arrived:
    """The readings of the rule's metric, while they are folded; worked out once for all rules."""
    group = turn.hearing.group(turn.own.metric)
    known = group.shared.get(_KEY)
    if not isinstance(known, Arrived):
        known = group.shared[_KEY] = _arrived(turn, group)
    return known


def _arrived(turn: Turn, group: Group) -> Arrived:
    # Copies, lest they keep the columns of the whole batch in memory.
    row, word, came = group.row, group.word, Came(*_columns(group))
    if not group.apart:
        once = np.ones(len(row), np.bool_)
        once[1:] = (came.device[1:] != came.device[:-1]) | (came.time[1:] != came.time[:-1])
        row, word = row[once], word[once]
        came = Came(came.device[once], came.time[once], came.value[once])
    heard = turn.hearing.heard_at(word)
    lag = turn.silence.lag.take(came.device)
    return Arrived(came, row, heard, lag, int(came.time.min()), int(heard.max()))


def _columns(group: Group) -> tuple[I64, I64, F64]:
    return group.device.copy(), group.time.copy(), group.value.copy()


@dataclass(slots=True, eq=False)
class Backlog:
    """What came, batch by batch; never saved: whoever saves has it counted first.

    rows: how many readings · urgent: whether they must be counted now · waiting: (w,), slots of
    which a step has ended and is not judged, because they are behind.
    """

    parts: list[Came] = field(default_factory=list)
    rows: int = 0
    urgent: bool = False
    waiting: I32 = field(default_factory=lambda: np.empty(0, np.int32))

    def add(self, came: Came) -> None:
        """Keep these too."""
        self.parts.append(came)
        self.rows += len(came.device)
        full = self.rows >= MOST_ROWS or len(self.parts) >= MOST_PARTS
        self.urgent |= full or came.start is not None

    def take(self) -> list[Came]:
        """All, which are no longer here then."""
        parts, self.parts = self.parts, []
        self.rows, self.urgent = 0, False
        return parts

    def put_back(self, other: "Backlog") -> None:
        """Keep what could not be counted, if anything: it is tried again with the next batch."""
        if other.parts:
            self.parts, self.rows, self.urgent = list(other.parts), other.rows, True

    def copy(self) -> "Backlog":
        """The same in a list of its own; nobody changes what is in it."""
        return Backlog(list(self.parts), self.rows, self.urgent, self.waiting)
