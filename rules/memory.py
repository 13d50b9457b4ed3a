"""What each rule remembers of its subjects: columns of one row per slot.

Whole numbers beside the arrays are lower bounds of the next moment at which a timer could matter;
they only save looking, are never saved, and FORGOTTEN means 'look'.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import I64, Bool
from rules.model import Absence, CountInWindow, Rule, Threshold
from rules.sparse import Column, Rows, Sparse

FORGOTTEN: Micros = NEVER

_NEVER, _FOREVER = np.int64(NEVER), np.int64(FOREVER)
_UNKNOWN, _NOBODY = np.float64(np.nan), np.int32(-1)


@dataclass(slots=True, eq=False)
class ThresholdMemory:
    """All (n,); times in µs since the epoch.

    judged: time of the last reading judged, NEVER before the first · value: its number, NaN before
    pending: since when `when` holds without a break, FOREVER where it does not · firing · since:
    when the firing span began · silent: WENT_SILENT was said · by_silence: fired for silence alone.
    """

    judged: Sparse[np.int64]
    value: Sparse[np.float64]
    pending: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    silent: Bool
    by_silence: Bool
    earliest: Micros = FORGOTTEN
    quiet: Micros = FORGOTTEN
    hushed: int = FORGOTTEN
    """How many are `silent`."""

    def any_silent(self) -> bool:
        """Whether WENT_SILENT was said of any."""
        if self.hushed == FORGOTTEN:
            self.hushed = int(np.count_nonzero(self.silent))
        return self.hushed > 0


@dataclass(slots=True, eq=False)
class AbsenceMemory:
    """All (n,). last: when a qualifying reading was last heard, or the subject became known, µs."""

    last: I64
    firing: Bool
    earliest: Micros = FORGOTTEN


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


Memory: TypeAlias = ThresholdMemory | AbsenceMemory | WindowMemory


def fresh_memory(rule: Rule, n: int, now: Micros) -> Memory:
    """What is remembered of n subjects that become known now: nothing has been heard of them."""
    match rule.condition:
        case Threshold():
            return ThresholdMemory(
                judged=Sparse(n, _NEVER),
                value=Sparse(n, _UNKNOWN),
                pending=Sparse(n, _FOREVER),
                firing=np.zeros(n, np.bool_),
                since=Sparse(n, _NEVER),
                silent=np.zeros(n, np.bool_),
                by_silence=np.zeros(n, np.bool_),
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


def columns_of(memory: Memory) -> Mapping[str, Column]:
    """The columns themselves, by name."""
    pairs = ((f.name, getattr(memory, f.name)) for f in fields(memory))
    return {name: value for name, value in pairs if not isinstance(value, int)}


def copy_of(memory: Memory) -> Memory:
    """The same memory in columns of its own."""
    twin = copy.copy(memory)
    for name, column in columns_of(memory).items():
        setattr(twin, name, column.copy())
    return twin


def since_of(memory: Memory, slots: Rows) -> I64:
    """When the span of each of these slots began, µs; meaningful where it is firing."""
    return (memory.last if isinstance(memory, AbsenceMemory) else memory.since)[slots]
