"""Recorded readings of a CSV file as columns, by arrival, for a backtest."""

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from devices.errors import Problem
from devices.instant import Micros
from devices.inventory import Inventory
from devices.metric import BY_NAME
from devices.reading import Batch, Bool
from devices.token import issue_of, token_of
from gridwarden.backtest import LeftOut, Recording
from gridwarden.errors import GridwardenError
from gridwarden.replay import SHOWN_PROBLEMS, Reader, Recorded
from ingest import columns
from ingest.decode import Limits


class RecordingError(GridwardenError):
    """Recorded readings cannot be used: a file with bad lines, or a span without readings."""


@dataclass(slots=True)
class _Columns:
    """Rows as they are read; 42 bytes for each."""

    time: "array[int]" = field(default_factory=lambda: array("q"))
    arrival: "array[int]" = field(default_factory=lambda: array("q"))
    device: "array[int]" = field(default_factory=lambda: array("i"))
    metric: "array[int]" = field(default_factory=lambda: array("h"))
    value: "array[float]" = field(default_factory=lambda: array("d"))
    token: "array[int]" = field(default_factory=lambda: array("q"))
    issue: "array[int]" = field(default_factory=lambda: array("i"))

    def add(self, row: Recorded, device: int) -> None:
        self.time.append(row.time)
        self.arrival.append(row.arrival)
        self.device.append(device)
        self.metric.append(BY_NAME[row.metric].id)
        self.value.append(row.value)
        facts = orjson.loads(row.attributes) if row.attributes else {}
        self.token.append(token_of(facts))
        self.issue.append(issue_of(facts))

    def batch(self) -> Batch:
        return Batch(
            np.array(self.time, np.int64),
            np.array(self.arrival, np.int64),
            np.array(self.device, np.int32),
            np.array(self.metric, np.int16),
            np.array(self.value, np.float64),
            token=np.array(self.token, np.int64),
            issue=np.array(self.issue, np.int32),
        )


def read_recording(
    file: Path,
    reader: Reader,
    inventory: Inventory,
    limits: Limits,
    span: tuple[Micros | None, Micros | None] = (None, None),
) -> Recording:
    """The file's readings by arrival; RecordingError with every bad line, at most 50 of them.

    span: only what arrived from … to …; µs, UTC. Lines of equal arrival stay in their order.
    """
    left_out = LeftOut()
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            rows = _rows(reader.read(lines), inventory, left_out)
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{file} cannot be read: {error}") from None
    rows = rows.take(np.argsort(rows.arrival, kind="stable"))
    rows = possible(rows.take(_within(rows, span)), inventory, limits, left_out)
    if not len(rows):
        raise RecordingError(f"{file}: no reading of this site's devices in this span")
    first, last = int(rows.arrival[0]), int(rows.arrival[-1])
    start, end = span
    return Recording(
        (rows,), first if start is None else start, last if end is None else end, left_out
    )


def possible(rows: Batch, inventory: Inventory, limits: Limits, left_out: LeftOut) -> Batch:
    """Those of these that the service would have stored, by their times and values."""
    in_time = (rows.time >= limits.earliest) & (rows.time <= rows.arrival + limits.max_ahead)
    sensible = columns.possible(rows, columns.highest(rows, inventory))
    left_out.impossible_time += int((~in_time).sum())
    left_out.out_of_range += int((in_time & ~sensible).sum())
    return rows.take(in_time & sensible)


def _rows(lines: Iterable[Recorded | Problem], inventory: Inventory, left_out: LeftOut) -> Batch:
    columns, problems = _Columns(), list[Problem]()
    for row in _good(lines, problems):
        device = inventory.find_id(row.community, row.device)
        if device:
            columns.add(row, device)
        else:
            left_out.unknown[f"{row.community}/{row.device}"] += 1
    if problems:
        told = [str(problem) for problem in problems[:SHOWN_PROBLEMS]]
        more = len(problems) - len(told)
        raise RecordingError(
            "\n".join([*told, *([f"… and {more} more bad lines"] if more else [])])
        )
    return columns.batch()


def _good(lines: Iterable[Recorded | Problem], problems: list[Problem]) -> Iterator[Recorded]:
    for row in lines:
        if isinstance(row, Problem):
            problems.append(row)
        else:
            yield row


def _within(rows: Batch, span: tuple[Micros | None, Micros | None]) -> Bool:
    start, end = span
    inside = np.ones(len(rows), np.bool_)
    if start is not None:
        inside &= rows.arrival >= start
    if end is not None:
        inside &= rows.arrival < end
    return inside
