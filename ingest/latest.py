"""The newest reading of each device and metric of a batch, and how old its oldest one is. Pure."""

from dataclasses import dataclass

import numpy as np

from devices.reading import F64, I16, I32, I64, Batch
from ingest.binary_copy import FLOAT8, INT2, INT4, TIMESTAMP, Column, to_timestamp
from ingest.columns import in_order


@dataclass(frozen=True, slots=True, eq=False)
class Latest:
    """One row per series, that is device and metric: int32, int16, ordered by both.

    time: of its newest reading, int64; one from the future counts as of its arrival, else all true
    ones would look older for a while · value: float64 · oldest: time of its oldest, int64, counted
    in the same way; both µs since the Unix epoch, UTC · series: of each row of the batch, which of
    these it is of (n,).
    """

    device: I32
    metric: I16
    time: I64
    value: F64
    oldest: I64
    series: I64

    def columns(self) -> list[tuple[str, Column]]:
        """Number, device, metric, time, value, oldest; for COPY."""
        return [
            (INT4, np.arange(len(self.device))),
            (INT4, self.device),
            (INT2, self.metric),
            (TIMESTAMP, to_timestamp(self.time)),
            (FLOAT8, self.value),
            (TIMESTAMP, to_timestamp(self.oldest)),
        ]


def latest(rows: Batch) -> Latest:
    """The series of these rows; of two rows at one time the first counts."""
    counted = np.minimum(rows.time, rows.arrival)
    order = in_order(rows)
    device, metric, time = rows.device[order], rows.metric[order], rows.time[order]
    new = np.ones(len(order), np.bool_)
    new[1:] = (device[1:] != device[:-1]) | (metric[1:] != metric[:-1])
    begin = np.flatnonzero(new)
    number = np.cumsum(new) - 1
    series: I64 = np.empty(len(order), np.int64)
    series[order] = number
    newest = order
    if (rows.time > rows.arrival).any() or (~new[1:] & (time[1:] == time[:-1])).any():
        newest = np.lexsort((-np.arange(len(order)), rows.time, counted, series))
    last = newest[np.append(begin[1:], len(order))[: len(begin)] - 1]
    first = order[begin]
    return Latest(
        rows.device[first],
        rows.metric[first],
        counted[last],
        rows.value[last],
        np.minimum.reduceat(counted[order], begin) if len(begin) else counted,
        series,
    )
