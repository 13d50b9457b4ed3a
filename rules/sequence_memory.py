"""What rules about two readings that belong together remember.

All three kinds remember, beside what is their own:

held, judged: of each device and part, (m, 2), whether the part's condition held (`joining.UNKNOWN`,
`NO`, `YES`) and at which time, µs · floor: (n,) what is earlier, µs, is neither remembered nor
taken note of: the newest reading with a part, less the rule's own span and `LATE`
firing, since: (n,), the standing span; only `MissingMemory` has any, for others are momentary.
"""

from dataclasses import dataclass

import numpy as np

from devices.instant import MINUTE, NEVER, Micros
from devices.reading import I64, Bool
from rules.sightings import Sightings
from rules.sparse import Sparse
from rules.table import ByDevice, Table

LATE: Micros = 10 * MINUTE
"""So far behind the newest of its subject a reading still joins one that came before it."""

PARTS = 2
_NEVER, _UNKNOWN = np.int64(NEVER), np.int8(0)


@dataclass(slots=True, eq=False)
class SequenceMemory:
    """seen, lately: readings with a part: token, time (µs), device, role, used (`FIRST_USED`, …).

    The newest are in `lately`, and now and then go to the others. sightings: at which one device
    each name was seen; None: not worked out. They are never saved, and each state has its own.
    """

    held: ByDevice
    judged: ByDevice
    floor: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    seen: Table
    lately: Table
    earliest: Micros = NEVER
    sightings: Sightings | None = None


@dataclass(slots=True, eq=False)
class MissingMemory:
    """keys: one row for each that is waited for or was lately: token, device, and in µs the rest.

    since: when the wait began, by the device, FOREVER where nothing is waited for · asked,
    answered: the newest `first` and the newest `then`, NEVER before any
    unsure: (n,) when a silence last ended, µs; NEVER before the first.
    """

    held: ByDevice
    judged: ByDevice
    floor: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    unsure: Sparse[np.int64]
    keys: Table
    earliest: Micros = NEVER


@dataclass(slots=True, eq=False)
class WithoutMemory:
    """seen, lately: readings that excuse: token, time (µs), device, role; the newest in `lately`.

    asked: those that need an excuse and have none yet: the same, value, and decided, true where
    nothing more will be said of it · unsure: (n,) since when everything has been heard, µs.
    """

    held: ByDevice
    judged: ByDevice
    floor: Sparse[np.int64]
    firing: Bool
    since: Sparse[np.int64]
    unsure: I64
    seen: Table
    lately: Table
    asked: Table
    earliest: Micros = NEVER


def fresh_sequence(n: int, m: int) -> SequenceMemory:
    """Of n subjects with m devices nothing was heard."""
    kinds = {"token": np.int64, "time": np.int64, "device": np.int32, "role": np.int8}
    return SequenceMemory(
        held=ByDevice(m, _UNKNOWN, PARTS),
        judged=ByDevice(m, _NEVER, PARTS),
        floor=Sparse(n, _NEVER),
        firing=np.zeros(n, np.bool_),
        since=Sparse(n, _NEVER),
        seen=Table(**kinds, used=np.int8),
        lately=Table(**kinds, used=np.int8),
    )


def fresh_missing(n: int, m: int) -> MissingMemory:
    """Of n subjects with m devices nothing was heard."""
    return MissingMemory(
        held=ByDevice(m, _UNKNOWN, PARTS),
        judged=ByDevice(m, _NEVER, PARTS),
        floor=Sparse(n, _NEVER),
        firing=np.zeros(n, np.bool_),
        since=Sparse(n, _NEVER),
        unsure=Sparse(n, _NEVER),
        keys=Table(
            token=np.int64, since=np.int64, device=np.int32, asked=np.int64, answered=np.int64
        ),
    )


def fresh_without(n: int, m: int, now: Micros) -> WithoutMemory:
    """Of n subjects with m devices nothing was heard before `now`, µs: it may have been said."""
    kinds = {"token": np.int64, "time": np.int64, "device": np.int32, "role": np.int8}
    return WithoutMemory(
        held=ByDevice(m, _UNKNOWN, PARTS),
        judged=ByDevice(m, _NEVER, PARTS),
        floor=Sparse(n, _NEVER),
        firing=np.zeros(n, np.bool_),
        since=Sparse(n, _NEVER),
        unsure=np.full(n, now, np.int64),
        seen=Table(**kinds),
        lately=Table(**kinds),
        asked=Table(**kinds, value=np.float64, decided=np.bool_),
    )


def restart(memory: MissingMemory | WithoutMemory, slots: Bool, now: Micros) -> None:
    """Begin anew at these slots, bool (n,), whose people went away or are back: nobody waits."""
    if isinstance(memory, MissingMemory):
        memory.keys.keep(~slots[memory.keys.slot])
        return
    memory.asked.keep(~slots[memory.asked.slot])
    memory.unsure[slots] = np.maximum(memory.unsure[slots], now)
