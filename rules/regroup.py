"""Saved states divided anew among shards: what each remembers goes where its subject goes. Pure.

No two shards have the same subject or device, so states are put together and taken apart by rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from devices.instant import NEVER, Micros
from devices.reading import Bool, concatenate
from rules import snapshot
from rules.carry import Remembered
from rules.memory import Memory, by_device, columns_of, fresh_memory, tables_of
from rules.model import SubjectKind
from rules.newest import Newest, newest_of
from rules.plan import per_of
from rules.silence import Silence, nothing_heard
from rules.table import joined as joined_tables
from rules.transition import Subject
from rules.waiting import Waiting

Owner = Callable[[Subject], int]
"""The number of the shard that will have this subject."""

Numbers = npt.NDArray[np.intp]


def regroup(saved: Sequence[bytes], owner: Owner, shards: int) -> list[bytes]:
    """These dumped states as the states of shards 0 … shards-1; RuleError where one is damaged."""
    parts = [snapshot.decode(data) for data in saved]
    whole = _silence([part.silence for part in parts])
    silences = _divided(whole, owner, shards)
    newest = _newest([part.newest for part in parts], owner, shards)
    memories: list[list[Remembered]] = [[] for _ in range(shards)]
    for same in _by_rule(past for part in parts for past in part.memories):
        joined = _joined(same)
        kind = per_of(joined.rule).subject
        goes_to = _numbers(owner(Subject(kind, i)) for i in joined.subject_ids.tolist())
        devices = _device_owners(joined, owner)
        for number, own in enumerate(memories):
            rows, mine = np.flatnonzero(goes_to == number), np.flatnonzero(devices == number)
            own.append(_rows(joined, rows, mine))
    waiting = _waiting([part.waiting for part in parts], owner, shards)
    return [
        snapshot.encode(snapshot.Snapshot(*own))
        for own in zip(silences, newest, memories, waiting, strict=True)
    ]


def _waiting(
    parts: Sequence[Mapping[Micros, Waiting]], owner: Owner, shards: int
) -> list[dict[Micros, Waiting]]:
    """What waits, with whoever has its device."""
    divided: list[dict[Micros, Waiting]] = [{} for _ in range(shards)]
    for late in sorted({late for part in parts for late in part}):
        own = [part[late] for part in parts if late in part]
        rows = concatenate([batch for waiting in own for batch in waiting.parts])
        goes_to = _numbers(owner(Subject(SubjectKind.DEVICE, i)) for i in rows.device.tolist())
        whole = _silence([waiting.silence for waiting in own])
        covered = np.zeros(len(whole.heard), np.bool_)
        for waiting in own:
            covered[: len(waiting.covered)] |= waiting.covered
        newest = _newest([waiting.newest for waiting in own], owner, shards)
        for number, silence in enumerate(_divided(whole, owner, shards)):
            mine = rows.take(goes_to == number)
            theirs = covered & (silence.heard != NEVER)
            waits = [mine] if len(mine) else []
            divided[number][late] = Waiting(silence, newest[number], theirs, waits)
    return divided


def _newest(parts: Sequence[Newest], owner: Owner, shards: int) -> list[Newest]:
    """What devices said last, with whoever has them."""
    whole = newest_of(parts)
    goes_to = _numbers(owner(Subject(SubjectKind.DEVICE, i)) for i in whole.device.tolist())
    return [whole.take(goes_to == number) for number in range(shards)]


def _by_rule(memories: Iterable[Remembered]) -> Iterable[list[Remembered]]:
    """Those of one rule together; a changed rule is another."""
    same: dict[tuple[str, str], list[Remembered]] = {}
    for past in memories:
        same.setdefault((past.rule.code, past.rule.fingerprint), []).append(past)
    return same.values()


def _device_owners(past: Remembered, owner: Owner) -> Numbers:
    """Who will have each device; asked only where something is remembered by device."""
    if not by_device(past.memory):
        return np.empty(0, np.intp)
    return _numbers(owner(Subject(SubjectKind.DEVICE, i)) for i in past.devices.tolist())


def _joined(parts: Sequence[Remembered]) -> Remembered:
    """The memories of one rule as one, by ascending subject."""
    first = parts[0]
    ids = np.concatenate([part.subject_ids for part in parts])
    devices = np.concatenate([part.devices for part in parts])
    memory = _memory(first, len(ids), len(devices))
    for name, column in columns_of(memory).items():
        column[:] = np.concatenate([columns_of(part.memory)[name][:] for part in parts])
    for name, known in by_device(memory).items():
        known.values = np.concatenate([by_device(part.memory)[name].values for part in parts])
    offsets = np.cumsum([0, *(len(part.subject_ids) for part in parts)]).tolist()[:-1]
    for name in tables_of(memory):
        tables = [tables_of(part.memory)[name] for part in parts]
        setattr(memory, name, joined_tables(tables, offsets))
    away = np.concatenate([part.away for part in parts])
    held = {i: h for part in parts for i, h in part.held.items()}
    whole = Remembered(first.rule, ids, away, devices, memory, held)
    rows = np.unique(ids, return_index=True)[1]
    return _rows(whole, rows, np.unique(devices, return_index=True)[1])


def _rows(past: Remembered, rows: Numbers, devices: Numbers) -> Remembered:
    """Some subjects and some devices of what is remembered, in the order of these rows."""
    memory = _memory(past, len(rows), len(devices))
    for name, column in columns_of(memory).items():
        column[:] = columns_of(past.memory)[name][rows]
    for name, known in by_device(memory).items():
        known.values = by_device(past.memory)[name].values[devices]
    slots = np.full(len(past.subject_ids), -1, np.int32)
    slots[rows] = np.arange(len(rows), dtype=np.int32)
    for name, table in tables_of(past.memory).items():
        setattr(memory, name, table.moved(slots))
    ids, away, ours = past.subject_ids[rows], past.away[rows], past.devices[devices]
    here = set(ids.tolist()) if past.held else set()
    held = {i: h for i, h in past.held.items() if i in here}
    return Remembered(past.rule, ids, away, ours, memory, held)


def _memory(like: Remembered, n: int, m: int) -> Memory:
    return fresh_memory(like.rule, n, m, 0)


def _silence(parts: Sequence[Silence]) -> Silence:
    """What was heard of each device, from whichever shard knows it."""
    whole = nothing_heard(max((len(part.heard) for part in parts), default=0))
    for part in parts:
        n = len(part.heard)
        _copy(part, whole, part.heard > whole.heard[:n])
    return whole


def _divided(whole: Silence, owner: Owner, shards: int) -> list[Silence]:
    known = np.flatnonzero(whole.heard != NEVER)
    goes_to = np.full(len(whole.heard), -1, np.intp)
    goes_to[known] = _numbers(owner(Subject(SubjectKind.DEVICE, i)) for i in known.tolist())
    divided = [nothing_heard(len(whole.heard)) for _ in range(shards)]
    for number, own in enumerate(divided):
        _copy(whole, own, goes_to == number)
    return divided


def _copy(source: Silence, target: Silence, which: Bool) -> None:
    """Copy the devices chosen by `which`, bool (n,), n those of the source."""
    rows = np.flatnonzero(which)
    known = source.kept()
    for name, column in target.kept().items():
        column[rows] = known[name][rows]


def _numbers(owners: Iterable[int]) -> Numbers:
    return np.fromiter(owners, np.intp)
