"""A batch in the order in which rules judge it, and where each device had been silent before.

Readings are ordered by their own time, and timers run in the device's time. A clock that is ahead
is set right at once: nothing is heard before it happens, so a message that tells of the future is
moved back until it tells of its arrival. A clock that is behind (or a device that sends what it has
kept) is given time: its timers wait as long as its last reading was on the way.

A heartbeat of 0 is the word 'offline': the device is silent from then on, until it says something
else. The broker dates that word, so it is moved into the device's time. For rules on `heartbeat`
it is a reading like any other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, Micros
from devices.reading import F64, I16, I32, I64, Batch, Bool
from rules.silence import Ids, Outages, Rows, Silence
from rules.sparse import Numbers
from rules.words import HEARTBEAT, Words

__all__ = ["HEARTBEAT", "Group", "Hearing", "Lags", "Seen", "rounds"]

Lags: TypeAlias = tuple[I64, I64]
"""Devices, and how far each is behind, µs."""


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What was known before each word, and what is with it, (w,); as in `Hearing`.

    until, missed: where a silence ended; elsewhere they leave out what gateways take with them
    left: None where that is FOREVER of all · fresh: where a word is later than all of its device
    before it, in whatever batch · known: whether all devices had spoken before the batch.
    """

    before: I64
    until: I64
    gap: Bool
    missed: Bool
    newer: Bool
    alive: I64
    left: I64 | None
    fresh: Bool
    known: bool

    def put(self, rows: Rows, of: "Seen") -> "Seen":
        """The same, but for these words."""
        left = self.left
        if left is None and of.left is not None:
            left = np.full(len(self.before), FOREVER, np.int64)
        theirs = FOREVER if of.left is None else of.left
        return Seen(
            _written(self.before, rows, of.before),
            _written(self.until, rows, of.until),
            _written(self.gap, rows, of.gap),
            _written(self.missed, rows, of.missed),
            _written(self.newer, rows, of.newer),
            _written(self.alive, rows, of.alive),
            None if left is None else _written(left, rows, theirs),
            _written(self.fresh, rows, of.fresh),
            self.known and of.known,
        )


def _written(column: Numbers, rows: Rows, of: object) -> Numbers:
    column = column.copy()
    column[rows] = of
    return column


class Group(NamedTuple):
    """The rows of one metric, by device and time, (k,).

    row: their numbers in the hearing's columns · word: of each the number of its word
    device: ids, int64 · apart: True if no device has two rows of one time · single: True if none
    has two · shared: what rules have made of it, by what they have in common.
    """

    row: Rows
    word: I64
    device: I64
    time: I64
    value: F64
    apart: bool
    single: bool
    shared: dict[int, object]


class ByMetric(NamedTuple):
    """All rows by metric, and by device and time. places: from where to where each metric stands.

    Columns (n,) as in `Group`; twice: whether any device has two rows of one metric.
    """

    places: Mapping[int, tuple[int, int]]
    metric: I16
    row: Rows
    word: I64
    device: I64
    time: I64
    value: F64
    twice: bool


def _starts(again: Bool, n: int) -> Rows:
    """Where another begins among n of which each that follows may be the same again."""
    starts = np.empty(n, np.bool_)
    starts[:1] = True
    np.logical_not(again, out=starts[1:])
    return starts.nonzero()[0]


class Hearing:
    """The rows of a batch by device and then by event time, (n,) each; ties as they came.

    time: by the device's clock, but never after the arrival · heard: in the server's time; its
    arrival, or its own time if it then waited in a queue that was not yet drained
    token: int64, whom an event names, 0 where nobody · issue: int32, which card of its number, 0
    where that is not said
    offline: bool, the word 'offline', not overtaken · before: int64 µs, when the row's device had
    last been heard before the row's word · until: int64 µs, from when it had been silent if it was
    not heard by then · gap: bool, True at the row with which such a silence ended · missed: bool,
    True where that was its own silence, not its gateway's · newer: bool, True where the row is the
    first of its device to be later than all before the batch · alive, left: as in `Silence`, after
    the row's word. Columns are worked out when they are asked for; `words` has what they come from.
    lags: (w,) devices, with repeats, and how far each is behind after the batch · before_lags: (w,)
    and before it
    outages: of gateways, up to the end of the batch · moved: devices whose silence may have moved
    other than to later, ids, with repeats · unlike: the words of devices that rules on `heartbeat`
    see otherwise, None where there are none · finite: whether all values are finite numbers.
    """

    def __init__(
        self,
        batch: Batch,
        words: Words,
        seen: Seen,
        *,
        heard: I64,
        lags: Lags,
        before_lags: I64,
        outages: Outages,
        moved: I64,
        unlike: Rows | None,
    ) -> None:
        self.batch, self.words, self.seen = batch, words, seen
        self.lags, self.before_lags, self.outages, self.moved = lags, before_lags, outages, moved
        self.unlike = unlike
        self._heard = heard
        self._groups: dict[int, Group] = {}
        self._returned: Rows | None = None

    def __len__(self) -> int:
        return len(self._rows[0])

    def seen_as(self, seen: Seen) -> "Hearing":
        """The same rows, of which other things were known."""
        other = Hearing(
            self.batch,
            self.words,
            seen,
            heard=self._heard,
            lags=self.lags,
            before_lags=self.before_lags,
            outages=self.outages,
            moved=self.moved,
            unlike=None,
        )
        other.__dict__.update(_rows=self._rows, by_metric=self.by_metric)
        return other

    @cached_property
    def _rows(self) -> tuple[I64, I64]:
        return self.words.rows()

    @cached_property
    def by_metric(self) -> "ByMetric":
        rows, words = self._rows
        metric = self.batch.metric.take(rows)
        order = metric.argsort(kind="stable")
        metric, word = metric.take(order), words.take(order)
        device, again = self.words.device.take(word), metric[1:] == metric[:-1]
        starts = _starts(again, len(order))
        again &= device[1:] == device[:-1]
        places = pairwise([*starts.tolist(), len(order)])
        return ByMetric(
            dict(zip(metric.take(starts).tolist(), places, strict=True)),
            metric,
            order,
            word,
            device,
            self.words.time.take(word),
            self.batch.value.take(rows.take(order)),
            bool(np.count_nonzero(again)),
        )

    @property
    def orderly(self) -> bool:
        """Whether each row is the newest of its device, and of a time of its own."""
        return not self.by_metric.twice and bool(self.seen.fresh.all())

    @property
    def metrics(self) -> Iterable[int]:
        """Those of which it has rows."""
        return self.by_metric.places

    def rows_of(self, metric: int) -> Rows:
        """The rows of a metric."""
        columns = self.by_metric
        start, end = columns.places.get(metric, (0, 0))
        return columns.row[start:end]

    def group(self, metric: int) -> Group:
        """The rows of a metric, and what is most often asked of them."""
        group = self._groups.get(metric)
        if group is None:
            group = self._groups[metric] = self._grouped(metric)
        return group

    def _grouped(self, metric: int) -> Group:
        columns = self.by_metric
        start, end = columns.places.get(metric, (0, 0))
        word, device = columns.word[start:end], columns.device[start:end]
        time, single, apart = columns.time[start:end], True, True
        if columns.twice:
            again = device[1:] == device[:-1]
            single = not np.count_nonzero(again)
            apart = single or not np.count_nonzero(again & (time[1:] == time[:-1]))
        row, value = columns.row[start:end], columns.value[start:end]
        return Group(row, word, device, time, value, apart, single, {})

    @property
    def unsettled(self) -> bool:
        """Whether a silence may have moved other than to later."""
        return len(self.moved) > 0

    @cached_property
    def finite(self) -> bool:
        return bool(np.isfinite(self.batch.value).all())

    @cached_property
    def gaps(self) -> Rows:
        """The words at which a silence ended."""
        return self.seen.gap.nonzero()[0]

    @cached_property
    def newers(self) -> Rows:
        """The words that are the first of their device to be later than all before the batch."""
        return self.seen.newer.nonzero()[0]

    @cached_property
    def offlines(self) -> Rows:
        """The words 'offline'."""
        return self.words.offline.nonzero()[0]

    @cached_property
    def first(self) -> Micros:
        """The least of the times; there must be any."""
        return int(self.words.time.min())

    def reaches_back(self, step: Micros, now: Micros) -> bool:
        """Whether a step of this length has ended by `now`, and not before the first of it."""
        return len(self.words.time) > 0 and (self.first - 1) // step != (now - 1) // step

    @cached_property
    def slower(self) -> Rows:
        """Which of the devices in `lags` are further behind than before."""
        return (self.lags[1] > self.before_lags).nonzero()[0]

    def lag_before(self, devices: Ids, silence: Silence) -> I64:
        """How far behind each was before the batch, µs. silence: as after it."""
        lag, (told, _) = silence.lag.take(devices), self.lags
        if len(told):
            place = np.minimum(np.searchsorted(told, devices), len(told) - 1)
            lag = np.where(told[place] == devices, self.before_lags[place], lag)
        return lag

    def returned(self, now: Micros) -> Rows:
        """The words of devices that were silent before `now`, later than what was heard of them.

        now: of the batch.
        """
        if self._returned is None:
            seen = self.seen
            self._returned = ((seen.newer | seen.gap) & (seen.until < now)).nonzero()[0]
        return self._returned

    def heard_at(self, words: Rows | I64) -> I64:
        """When each of these words was heard."""
        return self._heard.take(words)

    def first_rows(self, words: Rows) -> Rows:
        """The first row of each of these words."""
        if not len(words):
            return words
        count = self.words.count
        return (count.cumsum() - count)[words]

    def _spread(self, column: npt.NDArray[np.int64]) -> I64:
        return column.take(self._rows[1])

    def _flagged(self, rows: Rows) -> Bool:
        flags = np.zeros(len(self), np.bool_)
        flags[rows] = True
        return flags

    @cached_property
    def time(self) -> I64:
        return self._spread(self.words.time)

    @cached_property
    def arrival(self) -> I64:
        return self._spread(self.words.arrival)

    @cached_property
    def heard(self) -> I64:
        return self._spread(self._heard)

    @cached_property
    def device(self) -> I32:
        return self._spread(self.words.device).astype(np.int32)

    @cached_property
    def metric(self) -> I16:
        return self.batch.metric.take(self._rows[0])

    @cached_property
    def value(self) -> F64:
        return self.batch.value.take(self._rows[0])

    @cached_property
    def token(self) -> I64:
        return self.batch.token.take(self._rows[0])

    @cached_property
    def issue(self) -> I32:
        return self.batch.issue.take(self._rows[0])

    @cached_property
    def offline(self) -> Bool:
        return self.words.offline.take(self._rows[1])

    @cached_property
    def before(self) -> I64:
        return self._spread(self.seen.before)

    @cached_property
    def until(self) -> I64:
        return self._spread(self.seen.until)

    @cached_property
    def missed(self) -> Bool:
        return self.seen.missed.take(self._rows[1])

    @cached_property
    def gap(self) -> Bool:
        return self._flagged(self.first_rows(self.gaps))

    @cached_property
    def newer(self) -> Bool:
        return self._flagged(self.first_rows(self.newers))

    @cached_property
    def alive(self) -> I64:
        return self._spread(self.seen.alive)

    @cached_property
    def left(self) -> I64:
        left = self.seen.left
        return np.full(len(self), FOREVER, np.int64) if left is None else self._spread(left)

    def silent_before(self, device: int, time: Micros, silence: Silence) -> Micros:
        """From when the device was silent by what was heard before `time`, unless heard again.

        `silence` knows of before this batch.
        """
        devices = np.array([device], np.int64)
        alive, left = int(silence.said(devices)[0]), int(silence.away(devices)[0])
        start, end = np.searchsorted(self.words.device, [device, device + 1])
        word = start + int(np.searchsorted(self.words.time[start:end], time)) - 1
        if word >= start:
            alive = int(self.seen.alive[word])
            left = FOREVER if self.seen.left is None else int(self.seen.left[word])
        own = min(alive + int(silence.silent_after[device]), left)
        lost = self.outages.lost(devices, np.array([alive], np.int64), silence)
        return min(own, int(lost[0]))


def rounds(groups: I32 | I64) -> list[Rows]:
    """Rows to take one after another: the k-th of each run of equal numbers in the k-th round."""
    n = len(groups)
    starts = np.ones(n, np.bool_)
    starts[1:] = groups[1:] != groups[:-1]
    places = np.arange(n)
    if np.count_nonzero(starts) == n:
        return [places] if n else []
    rank = places - np.maximum.accumulate(np.where(starts, places, 0))
    order = np.argsort(rank, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(rank[order])) + 1)


def newest(groups: I64, times: I64) -> tuple[I64, I64]:
    """The numbers that occur among these, (k,), each once, ascending; and the last time of each."""
    if not np.count_nonzero(groups[1:] <= groups[:-1]):
        return groups, times
    order = np.lexsort((times, groups))
    groups, times = groups.take(order), times.take(order)
    last = np.ones(len(order), np.bool_)
    last[:-1] = groups[1:] != groups[:-1]
    return groups[last], times[last]
