"""Readings as the geometry of a small line chart, in the units of an SVG view box. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WIDTH, HEIGHT = 360, 170
LEFT, RIGHT, TOP, BOTTOM = 38, 352, 12, 146
MOST_TICKS = 5
_STEPS = (60, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)

Point = tuple[datetime, float]


@dataclass(frozen=True, slots=True)
class Series:
    """Readings of one device and metric, by time. stepped: a value holds until the next one;
    momentary: it holds at its instant only; gap: after so long in silence the line breaks.
    """

    points: Sequence[Point]
    gap: timedelta
    stepped: bool = False
    momentary: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled place on an axis: its coordinate, and its value."""

    at: float
    value: float | datetime


@dataclass(frozen=True, slots=True)
class Line:
    """A drawn series: SVG path data, and the places of its readings."""

    path: str
    dots: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything a template needs to draw."""

    lines: tuple[Line, ...]
    values: tuple[Tick, ...]
    times: tuple[Tick, ...]
    start: datetime
    end: datetime

    def x(self, moment: datetime) -> float:
        """Where an instant lies, kept within the chart."""
        share = (moment - self.start) / (self.end - self.start)
        return round(LEFT + (RIGHT - LEFT) * min(1.0, max(0.0, share)), 1)


def draw(series: Sequence[Series], start: datetime, end: datetime) -> Chart:
    """The chart of these series from start to end (aware, start < end), on one scale."""
    values = [value for s in series for _, value in s.points]
    binary = all(s.stepped or s.momentary for s in series) and set(values) <= {0.0, 1.0}
    ticks = [0.0, 1.0] if binary else nice_ticks(min(values, default=0), max(values, default=1))
    low, high = ticks[0], ticks[-1]

    def y(value: float) -> float:
        return round(BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low), 1)

    frame = Chart((), tuple(Tick(y(v), v) for v in ticks), (), start, end)
    lines = tuple(_line(s, [(frame.x(t), y(v)) for t, v in s.points], y(low)) for s in series)
    times = tuple(Tick(frame.x(t), t) for t in time_ticks(start, end))
    return Chart(lines, frame.values, times, start, end)


def nice_ticks(low: float, high: float) -> list[float]:
    """Three to six round numbers that enclose low and high."""
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    rough = (high - low) / (MOST_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 10) for n in range(first, last + 1)]


def time_ticks(start: datetime, end: datetime) -> list[datetime]:
    """At most four round instants between start and end, as the zone of `start` counts them."""
    span = (end - start).total_seconds()
    step = next((s for s in _STEPS if span / s <= 4), 86400 * math.ceil(span / 86400 / 4))
    offset = (start.utcoffset() or timedelta()).total_seconds()
    first = math.ceil((start.timestamp() + offset) / step) * step - offset
    count = int((end.timestamp() - first) // step) + 1
    return [datetime.fromtimestamp(first + i * step, start.tzinfo) for i in range(max(0, count))]


def _line(series: Series, dots: list[tuple[float, float]], floor: float) -> Line:
    if series.momentary:
        return Line("".join(f"M{x} {floor}V{y}" for x, y in dots), tuple(dots))
    times = [t for t, _ in series.points]
    path, previous = "", None
    for (x, y), time in zip(dots, times, strict=True):
        if previous is None or time - previous > series.gap:
            path += f"M{x} {y}"
        else:
            path += f"H{x}V{y}" if series.stepped else f"L{x} {y}"
        previous = time
    return Line(path, tuple(dots))
