"""What each rule remembers: columns of one row per slot, of one row per device, and tables.

Whole numbers beside the arrays are lower bounds of the next moment at which a timer could matter;
they only save looking, are never saved, and FORGOTTEN means 'look'.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I64, Bool
from rules.backlog import Backlog
from rules.correlation import CorrelationMemory, fresh_correlation
from rules.grading import NO_RANK
from rules.in_a_row import InARowMemory, fresh_in_a_row
from rules.measured import MeasureMemory, fresh_measure
from rules.model import (
    Absence,
    Baseline,
    Condition,
    Correlation,
    CountInWindow,
    InARow,
    Joined,
    MeasureInWindow,
    Missing,
    Occupancy,
    Replaced,
    RiskIndex,
    Rule,
    Score,
    Succession,
    Threshold,
    Without,
)
from rules.occupancy import OccupancyMemory, fresh_occupancy
from rules.replaced import ReplacedMemory, fresh_replaced
from rules.risk import RiskMemory, fresh_risk
from rules.score import ScoreMemory, fresh_score
from rules.sequence_memory import (
    MissingMemory,
    SequenceMemory,
    WithoutMemory,
    fresh_missing,
    fresh_sequence,
    fresh_without,
)
from rules.sightings import Sightings
from rules.spans import FORGOTTEN
from rules.sparse import Column, Rows, Sparse
from rules.table import ByDevice, Table

_NEVER, _FOREVER = np.int64(NEVER), np.int64(FOREVER)

_NOBODY = np.int32(-1)


@dataclass(slots=True, eq=False)
class ThresholdMemory:
    """All (n,); times in µs since the epoch.

    judged: time of the last reading of a momentary metric that was told, NEVER before the first; of
    others `Newest` knows, here is when the device was heard before the silence with which an alert
    lapsed · pending: since when `when` holds without a break, FOREVER where it does
    not · firing · since: when the firing span began · silent: WENT_SILENT was said · by_silence:
    fired for silence alone · rank: of the alert's colour, NO_RANK where it is the rule's · ending:
    since when what ends the alert holds without a break, FOREVER where it does not · lapsed: it
    does not outlive a silence that was · earliest, quiet, soonest: bounds for pending, silence and
    ending.
    """

    judged: Sparse[np.int64]
    pending: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    silent: Bool
    by_silence: Bool
    rank: Sparse[np.int32]
    ending: Sparse[np.int64]
    lapsed: Bool
    earliest: Micros = FORGOTTEN
    quiet: Micros = FORGOTTEN
    soonest: Micros = FORGOTTEN


@dataclass(slots=True, eq=False)
class AbsenceMemory:
    """All (n,). last: when a qualifying reading was last heard, or the subject became known, µs.

    unsure: slots that are due, but could not be heard, as of the last look at all; `earliest` is a
    bound for the others.
    """

    last: I64
    firing: Bool
    earliest: Micros = FORGOTTEN
    unsure: frozenset[int] = frozenset()


@dataclass(slots=True, eq=False)
class WindowMemory:
    """times, devices: (n, count), the last readings counted, ascending; NEVER where there is none.

    firing, since: (n,) · spent: (n,), readings up to here belong to spans that have ended.
    """

    times: Sparse[np.int64]
    devices: Sparse[np.int32]
    firing: Bool
    since: Sparse[np.int64]
    spent: Sparse[np.int64]
    earliest: Micros = FORGOTTEN


Memory: TypeAlias = (
    ThresholdMemory
    | AbsenceMemory
    | WindowMemory
    | SequenceMemory
    | MissingMemory
    | WithoutMemory
    | ReplacedMemory
    | ScoreMemory
    | OccupancyMemory
    | InARowMemory
    | CorrelationMemory
    | MeasureMemory
    | RiskMemory
)

_FRESH: Mapping[type[Any], Callable[[int, int], Memory]] = MappingProxyType(
    {
        Score: fresh_score,
        Occupancy: fresh_occupancy,
        InARow: fresh_in_a_row,
        Correlation: fresh_correlation,
    }
)
"""By the class of the condition: the memory of so many subjects with so many devices."""


def fresh_memory(rule: Rule, n: int, m: int, now: Micros) -> Memory:
    """What is remembered of n subjects with m devices that become known now: nothing was heard."""
    match rule.condition:
        case Threshold():
            return ThresholdMemory(
                judged=Sparse(n, _NEVER),
                pending=Sparse(n, _FOREVER),
                firing=np.zeros(n, np.bool_),
                since=Sparse(n, _NEVER),
                silent=np.zeros(n, np.bool_),
                by_silence=np.zeros(n, np.bool_),
                rank=Sparse(n, NO_RANK),
                ending=Sparse(n, _FOREVER),
                lapsed=np.zeros(n, np.bool_),
            )
        case Absence():
            return AbsenceMemory(last=np.full(n, now, np.int64), firing=np.zeros(n, np.bool_))
        case CountInWindow(count=count):
            return WindowMemory(
                times=Sparse((n, count), _NEVER),
                devices=Sparse((n, count), _NOBODY),
                firing=np.zeros(n, np.bool_),
                since=Sparse(n, _NEVER),
                spent=Sparse(n, _NEVER),
            )
        case Succession() | Missing() | Without() | Replaced() as condition:
            return _fresh_sequence(condition, n, m, now)
        case RiskIndex():
            return fresh_risk(rule, n, now)
        case condition:
            return _fresh_measured(rule, condition, n, m, now)


def _fresh_measured(rule: Rule, condition: Condition, n: int, m: int, now: Micros) -> Memory:
    if isinstance(condition, MeasureInWindow | Baseline):
        return fresh_measure(rule, n, m, now)
    return _FRESH[type(condition)](n, m)


def _fresh_sequence(condition: Joined | Replaced, n: int, m: int, now: Micros) -> Memory:
    match condition:
        case Succession():
            return fresh_sequence(n, m)
        case Missing():
            return fresh_missing(n, m)
        case Without():
            return fresh_without(n, m, now)
        case Replaced():
            return fresh_replaced(n)


def columns_of(memory: Memory) -> Mapping[str, Column]:
    """The columns of one row per slot, by name."""
    return {n: v for n, v in _parts(memory) if isinstance(v, np.ndarray | Sparse)}


def by_device(memory: Memory) -> Mapping[str, ByDevice]:
    """The columns of one row per device, by name."""
    return {name: value for name, value in _parts(memory) if isinstance(value, ByDevice)}


def tables_of(memory: Memory) -> Mapping[str, Table]:
    """The tables, by name."""
    return {name: value for name, value in _parts(memory) if isinstance(value, Table)}


def _parts(memory: Memory) -> list[tuple[str, object]]:
    return [(f.name, getattr(memory, f.name)) for f in fields(memory)]


def copy_of(memory: Memory) -> Memory:
    """The same memory in columns of its own."""
    twin = copy.copy(memory)
    for name, part in _parts(memory):
        if isinstance(part, np.ndarray | Sparse | ByDevice | Table | Backlog):
            setattr(twin, name, part.copy())
        elif isinstance(part, Sightings):
            setattr(twin, name, None)
    return twin


def forget_bounds(memory: Memory) -> None:
    """Let every timer be looked at anew."""
    for name, part in _parts(memory):
        if isinstance(part, int):
            setattr(memory, name, FORGOTTEN)
        elif isinstance(part, Sightings):
            setattr(memory, name, None)


def since_of(memory: Memory, slots: Rows) -> I64:
    """When the span of each of these slots began, µs; meaningful where it is firing."""
    return (memory.last if isinstance(memory, AbsenceMemory) else memory.since)[slots]
