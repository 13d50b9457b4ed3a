"""What each rule remembers of its subjects: numpy arrays of one row per slot.

Whole numbers beside the arrays are lower bounds of the next moment at which a timer could matter;
they only save looking, are never saved, and FORGOTTEN means 'look'.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from devices.instant import FOREVER, NEVER, Micros
from devices.reading import F64, I32, I64, Bool
from rules.model import Absence, CountInWindow, Rule, Threshold

FORGOTTEN: Micros = NEVER


@dataclass(slots=True, eq=False)
class ThresholdMemory:
    """All (n,); times in µs since the epoch.

    judged: time of the last reading judged, NEVER before the first · value: its number, NaN before
    pending: since when `when` holds without a break, FOREVER where it does not · firing · since:
    when the firing span began · silent: WENT_SILENT was said · by_silence: fired for silence alone.
    """

    judged: I64
    value: F64
    pending: I64
    firing: Bool
    since: I64
    silent: Bool
    by_silence: Bool
    earliest: Micros = FORGOTTEN
    quiet: Micros = FORGOTTEN


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

    times: I64
    devices: I32
    firing: Bool
    since: I64
    spent: I64
    earliest: Micros = FORGOTTEN


Memory: TypeAlias = ThresholdMemory | AbsenceMemory | WindowMemory
AnyArray: TypeAlias = npt.NDArray[np.int64 | np.int32 | np.float64 | np.bool_]


def fresh_memory(rule: Rule, n: int, now: Micros) -> Memory:
    """What is remembered of n subjects that become known now: nothing has been heard of them."""
    never, no = np.full(n, NEVER, np.int64), np.zeros(n, np.bool_)
    match rule.condition:
        case Threshold():
            return ThresholdMemory(
                judged=never,
                value=np.full(n, np.nan),
                pending=np.full(n, FOREVER, np.int64),
                firing=no,
                since=never.copy(),
                silent=no.copy(),
                by_silence=no.copy(),
            )
        case Absence():
            return AbsenceMemory(last=np.full(n, now, np.int64), firing=no)
        case CountInWindow(count=count):
            return WindowMemory(
                times=np.full((n, count), NEVER, np.int64),
                devices=np.full((n, count), -1, np.int32),
                firing=no,
                since=never,
                spent=never.copy(),
            )


def arrays_of(memory: Memory) -> Mapping[str, AnyArray]:
    """The arrays themselves, by name."""
    pairs = ((f.name, getattr(memory, f.name)) for f in fields(memory))
    return {name: value for name, value in pairs if isinstance(value, np.ndarray)}


def copy_of(memory: Memory) -> Memory:
    """The same memory in arrays of its own."""
    twin = copy.copy(memory)
    for name, array in arrays_of(memory).items():
        setattr(twin, name, array.copy())
    return twin


def since_of(memory: Memory) -> I64:
    """When each slot's span began, µs; meaningful where it is firing."""
    return memory.last if isinstance(memory, AbsenceMemory) else memory.since
