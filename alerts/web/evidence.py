"""The readings that caused an alert, as charts and as a table. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.measure import find
from alerts.web.chart import Chart, Series, draw
from alerts.web.rows import DeviceRow, ReadingRow
from devices.kind import SILENT_AFTER_INTERVALS
from devices.metric import Metric, MetricKind

SHORTEST_BEFORE = timedelta(minutes=30)
LONGEST_BEFORE = timedelta(days=14)
SHORTEST_AFTER = timedelta(hours=2)
READINGS_BEFORE = 12
MOST_LINES = 6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one metric did around an alert; readings by time, drawn: of the first six devices."""

    metric: Metric
    chart: Chart
    drawn: Sequence[DeviceRow]
    readings: Sequence[ReadingRow]

    @property
    def low(self) -> float:
        """The least value, in the metric's unit."""
        return min(r.value for r in self.readings)

    @property
    def high(self) -> float:
        """The greatest value, in the metric's unit."""
        return max(r.value for r in self.readings)


@dataclass(frozen=True, slots=True)
class Span:
    """When an alert's condition began and fired, and when it ended, if it did."""

    since: datetime
    fired: datetime
    ended: datetime | None


def window(span: Span, interval: timedelta, now: datetime) -> tuple[datetime, datetime]:
    """From a while before the span began until its end; a long-standing one is cut.

    The while is as long as the span took to fire and as a dozen readings take, `interval` being
    the longest that a healthy sensor of it stays silent; from 30 min to 14 days.
    """
    wanted = max(span.fired - span.since, READINGS_BEFORE * interval, SHORTEST_BEFORE)
    before = min(wanted, LONGEST_BEFORE)
    latest = span.fired + max(before, SHORTEST_AFTER)
    start, end = span.since - before, min(span.ended or now, latest)
    return start, max(end, start + SHORTEST_BEFORE)


def longest_interval(devices: Iterable[DeviceRow]) -> timedelta:
    """The longest that any of these stays silent when healthy."""
    return timedelta(microseconds=max((d.interval_us for d in devices), default=0))


def gather(
    readings: Sequence[ReadingRow],
    devices: Mapping[int, DeviceRow],
    start: datetime,
    end: datetime,
) -> list[Evidence]:
    """One piece of evidence for each metric that was heard; start and end in the reader's zone."""
    by_metric: defaultdict[int, list[ReadingRow]] = defaultdict(list)
    for reading in readings:
        by_metric[reading.metric_id].append(reading)
    known = ((find(key), rows) for key, rows in sorted(by_metric.items()))
    return [_evidence(m, rows, devices, start, end) for m, rows in known if m]


def _evidence(
    metric: Metric,
    rows: list[ReadingRow],
    devices: Mapping[int, DeviceRow],
    start: datetime,
    end: datetime,
) -> Evidence:
    heard = dict.fromkeys(r.device_id for r in rows)
    drawn = [devices[d] for d in heard if d in devices][:MOST_LINES]
    series = [_series(metric, device, rows) for device in drawn]
    return Evidence(metric, draw(series, start, end), drawn, rows)


def _series(metric: Metric, device: DeviceRow, rows: Sequence[ReadingRow]) -> Series:
    return Series(
        points=[(r.time, r.value) for r in rows if r.device_id == device.id],
        gap=timedelta(microseconds=SILENT_AFTER_INTERVALS * device.interval_us),
        stepped=metric.kind is MetricKind.STATE,
        momentary=metric.kind is MetricKind.EVENT,
    )
