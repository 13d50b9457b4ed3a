"""The newest reading of each device and metric that rules on thresholds watch.

Rules over the same metric have it in common. A reading is judged only if it is newer; so duplicates
change nothing, and one that comes late is stored and never judged again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import NEVER
from devices.inventory import Inventory
from devices.metric import BY_ID, BY_NAME
from devices.reading import F64, I32, I64, Bool
from rules.calm import NOWHERE, calm_range
from rules.expression import Expression
from rules.model import NoData, Rule, Threshold

Rows: TypeAlias = npt.NDArray[np.intp]

_WIDTH = max(BY_ID) + 1
_MOST_SETS = 10_000
"""Of attributes: where devices have more, one range stands for all."""


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A number, from 0 on, for each device and metric that rules on thresholds watch.

    device, metric: ids, int32 (k,), by device and then by metric · first: int32 by device id, its
    first cell · model: int32 by device id, where the device's model begins in `offset` and `count`
    offset: int64, by model and metric id: how many cells after the device's first, -1 where it has
    none · count: int64, how many a device of the model has · calm: int32 (k,), which of the ranges
    is its own; those of momentary metrics are numbered by metric id · low, high: float64 by range:
    between them, both included, no rule's `when` is true · momentary: ids of the metrics whose
    readings are judged each by itself: they have no cells · alerting: bool by metric id, where a
    rule may raise an alert for silence alone.
    """

    device: I32
    metric: I32
    first: I32
    model: I32
    offset: I64
    count: I64
    calm: I32
    low: F64
    high: F64
    momentary: frozenset[int]
    alerting: Bool

    def __len__(self) -> int:
        return len(self.device)

    def all_of(self, devices: I64) -> I64:
        """All cells of these devices, device by device."""
        first = self.first.take(devices).astype(np.int64)
        count = self.count.take(self.model.take(devices))
        ends = count.cumsum()
        cells: I64 = np.arange(ends[-1] if len(ends) else 0)
        cells += (first - ends + count).repeat(count)
        return cells

    def of(self, devices: I32 | I64, metric: int) -> I64:
        """The cells of these devices for one metric that all of them have."""
        return self.first.take(devices) + self.offset.take(self.model.take(devices) + metric)


def make_cells(
    rules: Sequence[Rule], inventory: Inventory, size: int, attributes: Mapping[str, F64]
) -> Cells:
    """For these rules over an inventory with device ids below `size`. attributes: by device id."""
    watching: dict[int, list[Threshold]] = {}
    for rule in rules:
        if isinstance(rule.condition, Threshold):
            watching.setdefault(BY_NAME[rule.watch.metrics[0]].id, []).append(rule.condition)
    momentary = frozenset(one for one in watching if BY_ID[one].occurs)
    devices = inventory.devices
    offset, counts = _offsets([m.metrics for m in devices.models], set(watching) - momentary)
    order = np.argsort(devices.ids, kind="stable")
    ids, models = devices.ids[order], np.asarray(devices.model, np.int64)[order]
    count = counts[models]
    first, model = np.zeros(size, np.int32), np.zeros(size, np.int32)
    first[ids] = np.cumsum(count) - count
    model[ids] = models * _WIDTH
    within = np.arange(int(count.sum())) - np.repeat(first[ids], count)
    metric = _by_place(offset)[np.repeat(models, count), within]
    device = np.repeat(ids, count).astype(np.int32)
    calm = _Calm(device, metric)
    for one, conditions in watching.items():
        calm.add(one, [condition.when for condition in conditions], attributes)
    return Cells(
        device,
        metric,
        first,
        model,
        offset.ravel(),
        np.repeat(counts, _WIDTH),
        calm.which,
        np.array(calm.low),
        np.array(calm.high),
        momentary,
        _alerting(rules),
    )


class _Calm:
    """The ranges, and which each cell has."""

    def __init__(self, device: I32, metric: I32) -> None:
        self.low, self.high = [NOWHERE[0]] * _WIDTH, [NOWHERE[1]] * _WIDTH
        self.which = metric.copy()
        self._device, self._metric = device, metric

    def add(self, metric: int, whens: Sequence[Expression], attributes: Mapping[str, F64]) -> None:
        """The ranges of a metric: one for each set of attributes that its devices have."""
        known = BY_ID[metric]
        self.low[metric], self.high[metric] = calm_range(whens, known.low, known.high)
        names = sorted(frozenset[str]().union(*(when.attributes for when in whens)))
        mine = np.flatnonzero(self._metric == metric)
        if not names or not len(mine):
            return
        table = np.column_stack([attributes[name][self._device[mine]] for name in names])
        sets, which = np.unique(table, axis=0, return_inverse=True)
        if len(sets) > _MOST_SETS:
            return
        self.which[mine] = len(self.low) + which.ravel()
        for one in sets.tolist():
            range_ = calm_range(whens, known.low, known.high, dict(zip(names, one, strict=True)))
            self.low.append(range_[0])
            self.high.append(range_[1])


def _alerting(rules: Iterable[Rule]) -> Bool:
    alerting = np.zeros(_WIDTH, np.bool_)
    for rule in rules:
        if isinstance(rule.condition, Threshold) and rule.no_data is NoData.ALERT:
            alerting[BY_NAME[rule.watch.metrics[0]].id] = True
    return alerting


def _offsets(models: Sequence[Iterable[str]], watched: set[int]) -> tuple[I64, I64]:
    """By model and metric, as in `Cells`, and how many cells a device of each model has."""
    offset = np.full((len(models), _WIDTH), -1, np.int64)
    for row, metrics in zip(offset, models, strict=True):
        mine = sorted(watched & {BY_NAME[name].id for name in metrics})
        row[mine] = np.arange(len(mine))
    return offset, (offset >= 0).sum(axis=1)


def _by_place(offset: I64) -> I32:
    """By model: the metrics of its devices' cells, in order; 0 behind them."""
    metrics = np.zeros(offset.shape, np.int32)
    model, metric = np.nonzero(offset >= 0)
    metrics[model, offset[model, metric]] = metric
    return metrics


@dataclass(frozen=True, slots=True, eq=False)
class Astir:
    """Where rules on thresholds have anything going; where they have not, this may still say so.

    cell: bool (k,), where one is pending or firing · silent: bool by device id, of which
    WENT_SILENT was said and not taken back.
    """

    cell: Bool
    silent: Bool

    @classmethod
    def nothing(cls, cells: Cells) -> "Astir":
        """Nowhere."""
        return cls(np.zeros(len(cells), np.bool_), np.zeros(len(cells.first), np.bool_))

    def copy(self) -> "Astir":
        """The same in columns of its own."""
        return Astir(self.cell.copy(), self.silent.copy())


@dataclass(slots=True, eq=False)
class Newest:
    """What each cell's device said last, (k,), by device and then by metric.

    device, metric: ids, int32 · time: µs, NEVER before the first · value: NaN before the first
    stirred: where rules have anything going; None: not worked out, it is never saved.
    """

    device: I32
    metric: I32
    time: I64
    value: F64
    stirred: Astir | None = None

    @classmethod
    def none(cls) -> "Newest":
        """Of no device."""
        nobody, nothing = np.empty(0, np.int32), np.empty(0, np.int64)
        return cls(nobody, nobody, nothing, np.empty(0, np.float64))

    @classmethod
    def fresh(cls, cells: Cells) -> "Newest":
        """Of devices of which nothing was heard."""
        time, value = np.full(len(cells), NEVER, np.int64), np.full(len(cells), np.nan)
        return cls(cells.device, cells.metric, time, value)

    @property
    def astir(self) -> Astir:
        """`stirred`, which is worked out by now."""
        if self.stirred is None:
            raise ValueError("it was not worked out where rules have anything going")
        return self.stirred

    def copy(self) -> "Newest":
        """The same in columns of its own."""
        return replace(
            self,
            time=self.time.copy(),
            value=self.value.copy(),
            stirred=None if self.stirred is None else self.stirred.copy(),
        )

    def take(self, rows: Rows | Bool) -> "Newest":
        """These of them."""
        return Newest(self.device[rows], self.metric[rows], self.time[rows], self.value[rows])

    def told(self) -> "Newest":
        """Those of whom anything was heard."""
        return self.take(self.time != NEVER)

    def laid(self, cells: Cells) -> "Newest":
        """The same by the cells of a plan; shares its columns where they are the same cells."""
        if _same(self.device, cells.device) and _same(self.metric, cells.metric):
            return replace(self, device=cells.device, metric=cells.metric, stirred=None)
        wide = Newest.fresh(cells)
        _, source, target = np.intersect1d(
            self.keys, wide.keys, assume_unique=True, return_indices=True
        )
        wide.time[target], wide.value[target] = self.time[source], self.value[source]
        return wide

    def values_of(self, devices: I32 | I64, metric: int) -> F64:
        """The newest number of each of these devices, NaN where there is none."""
        keys, wanted = self.keys, devices.astype(np.int64) * _WIDTH + metric
        if not len(keys):
            return np.full(len(wanted), np.nan)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[place] == wanted, self.value[place], np.nan)

    def times_of(self, devices: I32 | I64, metric: int) -> I64:
        """When it was, µs, NEVER where there is none."""
        keys, wanted = self.keys, devices.astype(np.int64) * _WIDTH + metric
        if not len(keys):
            return np.full(len(wanted), NEVER, np.int64)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[place] == wanted, self.time[place], NEVER)

    @property
    def keys(self) -> I64:
        """A number for each device and metric, ascending, (k,)."""
        return self.device.astype(np.int64) * _WIDTH + self.metric


def newest_of(parts: Sequence[Newest]) -> Newest:
    """What these tell together; of each device and metric the newest, ties as they come."""
    every = [Newest.none(), *parts]
    whole = Newest(
        np.concatenate([part.device for part in every]),
        np.concatenate([part.metric for part in every]),
        np.concatenate([part.time for part in every]),
        np.concatenate([part.value for part in every]),
    )
    whole = whole.take(np.lexsort((whole.time, whole.metric, whole.device)))
    last = np.ones(len(whole.device), np.bool_)
    last[:-1] = np.diff(whole.keys) != 0
    return whole.take(last)


def _same(one: I32, other: I32) -> bool:
    return one is other or np.array_equal(one, other)
