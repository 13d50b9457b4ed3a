"""Readings: what a sensor said, when. One as a value, many as columns.

A *reading* is one number of one metric of one device at one instant. An *event* is a reading of a
momentary metric (a card read, a button press) with the facts that are not numbers: credential,
reason, direction. Both are rows of a `Batch`; an event's attributes travel beside it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.errors import FormatError
from devices.instant import Micros

I64: TypeAlias = npt.NDArray[np.int64]
I32: TypeAlias = npt.NDArray[np.int32]
I16: TypeAlias = npt.NDArray[np.int16]
F64: TypeAlias = npt.NDArray[np.float64]
Bool: TypeAlias = npt.NDArray[np.bool_]
Index: TypeAlias = npt.NDArray[np.intp] | Bool
Json: TypeAlias = "str | int | float | bool | Sequence[Json] | Mapping[str, Json] | None"


class Reading(NamedTuple):
    """One number of one device. `time` is the device's clock, `arrival` the server's; µs, UTC.

    token: whom an event names (`devices.token`), 0 where nobody · issue: of a credential, which
    card of its number; 0 where that is not said.
    """

    time: Micros
    arrival: Micros
    device: int
    metric: int
    value: float
    token: int = 0
    issue: int = 0


_LEFT_OUT: I64 = np.zeros(0, np.int64)
_NOT_SAID: I32 = np.zeros(0, np.int32)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Readings as columns of one length n, in the order in which they were received.

    time, arrival: int64, microseconds since the Unix epoch, UTC (device's and server's clock)
    device: int32, the registry's id · metric: int16, `devices.metric` id · value: float64, in the
    metric's own unit · token: int64, whom an event names (`devices.token`), 0 where nobody
    issue: int32, of a credential, which card of its number; 0 where that is not said. Both are 0
    for all rows where they are left out. A zero-length batch is a timer tick.
    """

    time: I64
    arrival: I64
    device: I32
    metric: I16
    value: F64
    token: I64 = field(default_factory=lambda: _LEFT_OUT)
    issue: I32 = field(default_factory=lambda: _NOT_SAID)

    def __post_init__(self) -> None:
        if self.token is _LEFT_OUT:
            object.__setattr__(self, "token", np.zeros(len(self.time), np.int64))
        if self.issue is _NOT_SAID:
            object.__setattr__(self, "issue", np.zeros(len(self.time), np.int32))
        lengths = {len(self.time), len(self.arrival), len(self.device), len(self.metric)}
        if lengths | {len(self.token), len(self.issue)} != {len(self.value)}:
            raise ValueError(f"columns of a batch differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.time)

    @classmethod
    def of(cls, readings: Iterable[Reading]) -> "Batch":
        """The columns of these readings, in their order."""
        rows = list(readings)
        columns = tuple(zip(*rows, strict=True)) if rows else ((),) * 7
        return cls(
            time=np.array(columns[0], np.int64),
            arrival=np.array(columns[1], np.int64),
            device=np.array(columns[2], np.int32),
            metric=np.array(columns[3], np.int16),
            value=np.array(columns[4], np.float64),
            token=np.array(columns[5], np.int64),
            issue=np.array(columns[6], np.int32),
        )

    @classmethod
    def empty(cls) -> "Batch":
        """No readings: what a timer tick hands to the rules."""
        return cls.of(())

    def take(self, rows: Index) -> "Batch":
        """These rows, by index or by mask."""
        return Batch(
            self.time[rows],
            self.arrival[rows],
            self.device[rows],
            self.metric[rows],
            self.value[rows],
            self.token[rows],
            self.issue[rows],
        )

    def rows(self) -> list[Reading]:
        """Every row as a `Reading` of plain Python numbers."""
        facts = (self.value, self.token, self.issue)
        columns = (self.time, self.arrival, self.device, self.metric, *facts)
        return [Reading(*row) for row in zip(*(c.tolist() for c in columns), strict=True)]


def concatenate(batches: Sequence[Batch]) -> Batch:
    """One batch holding the rows of all of these, in order."""
    if not batches:
        return Batch.empty()
    return Batch(
        np.concatenate([b.time for b in batches]),
        np.concatenate([b.arrival for b in batches]),
        np.concatenate([b.device for b in batches]),
        np.concatenate([b.metric for b in batches]),
        np.concatenate([b.value for b in batches]),
        np.concatenate([b.token for b in batches]),
        np.concatenate([b.issue for b in batches]),
    )


@dataclass(frozen=True, slots=True)
class Observation:
    """What a payload format understood, by name: values of one device at one instant.

    device: the code in the topic, or the one a gateway's payload names · time: µs since epoch, UTC,
    None where the payload has no time of its own · values: metric name to number, in the metric's
    unit · attributes: facts that are not numbers · problems: what else it said and cannot be kept.
    """

    device: str
    time: Micros | None
    values: Mapping[str, float]
    attributes: Mapping[str, Json] = field(default_factory=dict)
    problems: tuple[FormatError, ...] = ()
