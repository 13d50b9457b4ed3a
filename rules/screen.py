"""Which readings of a batch rules on thresholds look at: most are calm, and so are their subjects.

A calm reading is newer than what was heard, lies where no rule's `when` is true, and its device has
nothing going by its metric, nor ends a silence: then the rules are left as they are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from devices.reading import F64, I16, I64
from rules.hearing import ByMetric, Group, Hearing
from rules.newest import Astir, Cells, Newest, Rows


@dataclass(frozen=True, slots=True, eq=False)
class Screened:
    """groups: by metric, the readings to look at, all readings of each of their cells; those of
    momentary metrics also where they are not new · returned: whether a device is back of which
    WENT_SILENT was said · unsettled: metrics by which a device has anything going, or may raise an
    alert, that is one of them or whose silence ended or moved other than to later · cell, time,
    value: all that is new, (k,), each cell's in the order of time.
    """

    groups: Mapping[int, Group]
    returned: bool
    unsettled: frozenset[int]
    cell: I64
    time: I64
    value: F64

    def note(self, newest: Newest) -> None:
        """Remember what was said, in place."""
        if len(self.cell):
            newest.time[self.cell] = self.time
            newest.value[self.cell] = self.value


def screen(cells: Cells, hearing: Hearing, beats: Hearing, newest: Newest) -> Screened:
    """The readings of a hearing that may matter. beats: the same as rules on `heartbeat` hear it.

    What is looked at counts as calm from here on, unless a rule says otherwise.
    """
    back = _devices(hearing, beats, lambda one: one.gaps)
    columns, astir = hearing.by_metric, newest.astir
    momentary = dict(_momentary(cells, columns))
    returned = _returned(_devices(hearing, beats, lambda one: one.newers), astir)
    moved = np.concatenate([back, hearing.moved, returned])
    unsettled = _unsettled(cells, moved, astir)
    rows = _watched(cells, columns)
    if not hearing.orderly:
        rows = rows.take(rows.new(newest))
    look = rows.restless(cells, astir, back)
    if columns.twice and len(look):
        astir.cell[rows.cell.take(look)] = True
        look = astir.cell.take(rows.cell).nonzero()[0]
    if len(look):
        astir.cell[rows.cell.take(look)] = False
    places = look if rows.place is None else rows.place.take(look)
    groups = dict(_groups(columns, places))
    if len(moved) and len(look):
        theirs = np.isin(rows.device.take(look), moved)
        unsettled |= frozenset(rows.metric.take(look)[theirs].tolist())
    groups |= momentary
    return Screened(groups, len(returned) > 0, unsettled, rows.cell, rows.time, rows.value)


def _devices(hearing: Hearing, beats: Hearing, words: Callable[[Hearing], Rows]) -> I64:
    """The devices of these words of either."""
    device = hearing.words.device.take(words(hearing))
    if beats is hearing:
        return device
    return np.concatenate([device, beats.words.device.take(words(beats))])


def _returned(device: I64, astir: Astir) -> I64:
    """Those of these, heard anew, of which WENT_SILENT was said."""
    silent = astir.silent.take(device)
    if not np.count_nonzero(silent):
        return device[:0]
    returned = device[silent]
    astir.silent[returned] = False
    return returned


def _unsettled(cells: Cells, devices: I64, astir: Astir) -> frozenset[int]:
    if not len(devices):
        return frozenset()
    mine = cells.all_of(devices)
    metric = cells.metric.take(mine)
    return frozenset(metric[astir.cell.take(mine) | cells.alerting.take(metric)].tolist())


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows with a cell, by metric, device and time. place: in the hearing's; None: all are."""

    place: Rows | None
    cell: I64
    metric: I16
    device: I64
    time: I64
    value: F64

    def take(self, which: Rows) -> "_Rows":
        return _Rows(
            which if self.place is None else self.place.take(which),
            self.cell.take(which),
            self.metric.take(which),
            self.device.take(which),
            self.time.take(which),
            self.value.take(which),
        )

    def new(self, newest: Newest) -> Rows:
        """Those later than the newest of their cell; each time once."""
        cell, time = self.cell, self.time
        new = time > newest.time.take(cell)
        new[1:] &= (cell[1:] != cell[:-1]) | (time[1:] != time[:-1])
        return new.nonzero()[0]

    def restless(self, cells: Cells, astir: Astir, back: I64) -> Rows:
        """Those that are not calm."""
        which = cells.calm.take(self.cell)
        calm = self.value >= cells.low.take(which)
        calm &= self.value <= cells.high.take(which)
        calm &= ~astir.cell.take(self.cell)
        if len(back):
            calm &= ~(np.isin(self.device, back) & cells.alerting.take(self.metric))
        return (~calm).nonzero()[0]


def _watched(cells: Cells, columns: ByMetric) -> _Rows:
    device, metric = columns.device, columns.metric
    offset = cells.offset.take(cells.model.take(device) + metric)
    cell = cells.first.take(device) + offset
    rows = _Rows(None, cell, metric, device, columns.time, columns.value)
    has = offset >= 0
    return rows if np.count_nonzero(has) == len(has) else rows.take(has.nonzero()[0])


def _momentary(cells: Cells, columns: ByMetric) -> Iterator[tuple[int, Group]]:
    """The readings that may have to be told, each by itself."""
    for metric in cells.momentary.intersection(columns.places):
        start, end = columns.places[metric]
        value = columns.value[start:end]
        calm = (value >= cells.low[metric]) & (value <= cells.high[metric])
        if np.count_nonzero(calm) < len(calm):
            yield metric, _group(columns, (~calm).nonzero()[0] + start)


def _groups(columns: ByMetric, places: Rows) -> Iterator[tuple[int, Group]]:
    """These rows, ascending, by metric."""
    if not len(places):
        return
    metric = columns.metric.take(places)
    cuts = [0, *((metric[1:] != metric[:-1]).nonzero()[0] + 1).tolist(), len(places)]
    for start, end in pairwise(cuts):
        yield int(metric[start]), _group(columns, places[start:end])


def _group(columns: ByMetric, places: Rows) -> Group:
    device = columns.device.take(places)
    return Group(
        columns.row.take(places),
        columns.word.take(places),
        device,
        columns.time.take(places),
        columns.value.take(places),
        True,
        not (columns.twice and np.count_nonzero(device[1:] == device[:-1])),
        {},
    )
