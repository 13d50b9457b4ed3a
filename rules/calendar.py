"""When a rule may raise alerts: hours, weekdays and dates by the clock on the wall. Pure.

Active time is a row of stretches [start, stop) in µs since the Unix epoch, UTC. An instant is
active where that clock shows so: where clocks are changed, an hour that is left out is in no
stretch, and one that comes twice is in two.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.instant import DAY, FOREVER, MINUTE, SECOND, Micros, to_datetime
from devices.reading import I64, Bool

YEARS_AHEAD = 40
"""Active time is looked for so far after an instant: by then every weekday has met every date."""

MIDNIGHT = 24 * 60
"""The end of a day, in minutes."""

_FIRST_YEAR, _LAST_YEAR = 1970, 2400
"""What is outside is taken for the nearer of them: readings are refused long before."""

_THURSDAY = 3
"""The weekday of the Unix epoch, Monday being 0."""


@dataclass(frozen=True, slots=True, order=True)
class MonthDay:
    """A date. year: 0 for every year."""

    year: int
    month: int
    day: int


@dataclass(frozen=True, slots=True)
class Active:
    """When a rule is active, in the site's time zone; what is empty restricts nothing.

    hours: from and to, in minutes since midnight; what does not end later than it begins goes on
    over midnight · weekdays: 0 is Monday · dates: from and to, both included; of every year, over
    New Year where they end before they begin, or of given years. Hours over midnight belong to the
    day on which they begin.
    """

    hours: tuple[tuple[int, int], ...] = ()
    weekdays: frozenset[int] = frozenset()
    dates: tuple[tuple[MonthDay, MonthDay], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Stretches:
    """Stretches, (k,) each, ascending, none touching the next. gone: active time before each."""

    start: I64
    stop: I64
    gone: I64

    @classmethod
    def of(cls, start: I64, stop: I64) -> "_Stretches":
        """These, put in order; those that touch or overlap are one."""
        order = np.argsort(start, kind="stable")
        start, stop = start[order], np.maximum.accumulate(stop[order])
        first = np.ones(len(start), np.bool_)
        first[1:] = start[1:] > stop[:-1]
        begin = np.flatnonzero(first)
        start, stop = start[begin], stop[np.append(begin[1:], len(stop))[: len(begin)] - 1]
        lengths = stop - start
        return cls(start, stop, np.cumsum(lengths) - lengths)

    def number(self, times: I64) -> npt.NDArray[np.intp]:
        """The first stretch that ends after each of these; k where there is none."""
        return np.searchsorted(self.stop, times, side="right")


@dataclass(frozen=True, slots=True, eq=False)
class Calendar:
    """The active time of a rule. active: None is always."""

    active: Active | None
    zone: tzinfo
    _known: dict[tuple[int, int], _Stretches] = field(default_factory=dict)

    def is_active(self, times: I64) -> Bool:
        """Which of these instants are active; bool (n,)."""
        if self.active is None or not len(times):
            return np.ones(len(times), np.bool_)
        stretches = self._around(self.active, times)
        number = stretches.number(times)
        found: Bool = number < len(stretches.start)
        found[found] = stretches.start[number[found]] <= times[found]
        return found

    def due(self, pending: I64, lasting: Micros) -> I64:
        """The first t from each `pending` + `lasting` on for which [t - lasting, t] is active.

        It lies in one stretch, to which its end belongs where `lasting` is above 0. FOREVER where
        there is none, and where `pending` is FOREVER.
        """
        return self._each(pending, lasting, _due)

    def elapse(self, last: I64, lasting: Micros | I64) -> I64:
        """When after each `last` active time of `lasting` in all has gone by; FOREVER as `due`.

        lasting: of all, or of each, (n,).
        """
        if isinstance(lasting, int):
            return self._each(last, lasting, _elapse)
        moments = np.full(len(last), FOREVER, np.int64)
        for span in np.unique(lasting).tolist():
            these = lasting == span
            moments[these] = self._each(last[these], span, _elapse)
        return moments

    def _each(
        self, times: I64, lasting: Micros, moment: Callable[[_Stretches, I64, Micros], I64]
    ) -> I64:
        if self.active is None:
            return np.minimum(times, FOREVER - lasting) + lasting
        moments = np.full(len(times), FOREVER, np.int64)
        given = times < FOREVER - lasting
        if given.any():
            moments[given] = moment(self._around(self.active, times[given]), times[given], lasting)
        return moments

    def _around(self, active: Active, times: I64) -> _Stretches:
        """The stretches from the first of these instants until long after the last."""
        years = _year(int(times.min())), _year(int(times.max())) + YEARS_AHEAD
        if years not in self._known:
            self._known[years] = _stretches(active, self.zone, *years)
        return self._known[years]


def _due(stretches: _Stretches, pending: I64, lasting: Micros) -> I64:
    """In the stretch of each, or else at the start of the next that is long enough."""
    long = np.flatnonzero(stretches.stop - stretches.start >= max(lasting, 1))
    start, stop = _and_never(stretches.start), _and_never(stretches.stop)
    number = stretches.number(pending)
    begin = np.maximum(start[number], pending)
    later = np.append(long, len(stretches.start))[np.searchsorted(long, number + 1)]
    begin = np.where(begin <= stop[number] - lasting, begin, start[later])
    at: I64 = np.minimum(begin, FOREVER - lasting) + lasting
    return at


def _elapse(stretches: _Stretches, last: I64, lasting: Micros) -> I64:
    start, gone = _and_never(stretches.start), _and_never(stretches.gone)
    number = stretches.number(last)
    had = gone[number] + np.maximum(last - start[number], 0)
    wanted = np.minimum(had, FOREVER - lasting) + lasting
    lengths = stretches.stop - stretches.start
    number = np.maximum(number, np.searchsorted(stretches.gone + lengths, wanted))
    left = np.where(start[number] == FOREVER, 0, wanted - gone[number])
    at: I64 = start[number] + left
    return at


def _and_never(times: I64) -> I64:
    """Beyond the last stretch there is none."""
    return np.append(times, FOREVER)


def _year(time: Micros) -> int:
    earliest = 0
    latest = (_LAST_YEAR - _FIRST_YEAR) * 365 * DAY
    return to_datetime(min(max(time, earliest), latest)).year


@lru_cache(maxsize=256)
def calendar_of(active: Active | None, zone: tzinfo) -> Calendar:
    """The calendar of a rule; rules with the same active time share one."""
    return Calendar(active, zone)


def _stretches(active: Active, zone: tzinfo, first: int, last: int) -> _Stretches:
    """The active time of these years, both included, and of the days around them."""
    start, stop = _on_the_wall(active, first, last)
    wall = _Stretches.of(start, stop)
    begins, offsets = _offsets(zone, first, last)
    pieces = [
        np.clip([wall.start - offset, wall.stop - offset], begin, end)
        for begin, end, offset in zip(begins, [*begins[1:], FOREVER], offsets, strict=True)
    ]
    start, stop = np.concatenate(pieces, axis=1)
    return _Stretches.of(start[start < stop], stop[start < stop])


def _on_the_wall(active: Active, first: int, last: int) -> tuple[I64, I64]:
    """The active time as clocks on the wall show it, in µs since their 1970-01-01T00:00."""
    days = np.arange(_day(first) - 2, _day(last + 1) + 2)
    if active.weekdays:
        days = days[np.isin((days + _THURSDAY) % 7, sorted(active.weekdays))]
    if active.dates:
        days = days[np.logical_or.reduce([_between(days, *span) for span in active.dates])]
    spans = [(a, b if b > a else b + MIDNIGHT) for a, b in active.hours or ((0, MIDNIGHT),)]
    start = np.concatenate([days * DAY + a * MINUTE for a, _ in spans])
    return start, np.concatenate([days * DAY + b * MINUTE for _, b in spans])


def _day(year: int) -> int:
    """The first day of a year, counted from 1970-01-01."""
    return int((np.datetime64(f"{year}-01-01") - np.datetime64("1970-01-01")).astype(np.int64))


def _between(days: npt.NDArray[np.int64], begin: MonthDay, end: MonthDay) -> Bool:
    """Which of these days are in the span."""
    dates: npt.NDArray[Any] = days.astype("datetime64[D]")
    months: npt.NDArray[Any] = dates.astype("datetime64[M]")
    day = (dates - months).astype(np.int64) + 1
    number = (months.astype(np.int64) % 12 + 1) * 100 + day
    if begin.year:
        number += (months.astype(np.int64) // 12 + 1970) * 10_000
    low, high = (d.year * 10_000 + d.month * 100 + d.day for d in (begin, end))
    within: Bool = (number >= low) & (number <= high)
    return within if low <= high else (number >= low) | (number <= high)


@lru_cache(maxsize=64)
def _offsets(zone: tzinfo, first: int, last: int) -> tuple[list[Micros], list[Micros]]:
    """From when on clocks show how much more than UTC, µs; no two changes lie within a day."""
    times = range((_day(first) - 3) * DAY, (_day(last + 1) + 3) * DAY, DAY)
    begins, offsets = [times[0]], [_offset(zone, times[0])]
    for time in times[1:]:
        offset = _offset(zone, time)
        if offset != offsets[-1]:
            begins.append(_change(zone, time - DAY, time))
            offsets.append(offset)
    return begins, offsets


def _offset(zone: tzinfo, time: Micros) -> Micros:
    shown = to_datetime(time).astimezone(zone).replace(tzinfo=UTC)
    return (shown - to_datetime(time)) // _MICROSECOND


_MICROSECOND = datetime.resolution


def _change(zone: tzinfo, before: Micros, after: Micros) -> Micros:
    """When, after the one and not after the other, the offset became another; to the second."""
    old = _offset(zone, before)
    while after - before > SECOND:
        middle = (before + after) // (2 * SECOND) * SECOND
        if _offset(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after
