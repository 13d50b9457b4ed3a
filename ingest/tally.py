"""What a collector did since its start, in figures: counted once per committed batch."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from devices.errors import RejectReason
from devices.instant import SECOND, Micros
from devices.reading import F64, I64
from ingest.decoded import Decoded
from ingest.fate import Counts
from ingest.ledger import total
from ingest.store import CommittedBatch

SPANS_S = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 60.0, 600.0, 3_600.0),
)
"""Upper bounds of spans of time, seconds: from a commit at low rates to an hour's replay."""

SIZES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0, 30_000.0)
"""Upper bounds of messages in a batch."""


class Histogram:
    """How many values were at most each of these bounds (inclusive), and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self._edges: F64 = np.array(bounds, np.float64)
        self._counts: I64 = np.zeros(len(bounds) + 1, np.int64)
        self.sum = 0.0

    def add(self, values: F64) -> None:
        """Count these values in."""
        places = np.searchsorted(self._edges, values, side="left")
        self._counts = self._counts + np.bincount(places, minlength=len(self._counts))
        self.sum += float(values.sum())

    def cumulative(self) -> list[int]:
        """Values up to each bound, and (last) all of them."""
        return [int(number) for number in np.cumsum(self._counts)]


@dataclass(slots=True)
class Tally:
    """The figures of one collector. Readable from another thread; a batch may be half counted then.

    rejected: messages refused as a whole, by reason · in_part: those stored in part · batch:
    messages · commit: seconds of the transaction · age: seconds from a new reading's own time to
    its commit, 0 where that is ahead · arrival: seconds from its arrival to its commit ·
    database_failures: tries of a batch that the database failed.
    """

    counts: Counts = field(default_factory=lambda: total(()))
    rejected: Counter[RejectReason] = field(default_factory=Counter)
    in_part: Counter[RejectReason] = field(default_factory=Counter)
    batch: Histogram = field(default_factory=lambda: Histogram(SIZES))
    commit: Histogram = field(default_factory=lambda: Histogram(SPANS_S))
    age: Histogram = field(default_factory=lambda: Histogram(SPANS_S))
    arrival: Histogram = field(default_factory=lambda: Histogram(SPANS_S))
    database_failures: int = 0

    def committed(
        self, decoded: Decoded, batch: CommittedBatch, *, now: Micros, took_s: float
    ) -> None:
        """Count a batch committed at `now` (µs since the Unix epoch, UTC) in `took_s` seconds."""
        self.counts = total((self.counts, batch.counts))
        for refusal in decoded.rejections:
            (self.in_part if refusal.partial else self.rejected)[refusal.reason] += 1
        self.batch.add(np.array([batch.counts.messages], np.float64))
        self.commit.add(np.array([took_s]))
        rows = batch.readings
        self.age.add(np.maximum(now - rows.time, 0) / SECOND)
        self.arrival.add(np.maximum(now - rows.arrival, 0) / SECOND)
