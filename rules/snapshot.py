"""The bytes of a saved state: a mark with the version, then compressed columns; never pickled.

Beside its columns each rule is saved as text, so that a state whose rules are gone can still say of
which rule the alerts are that must be withdrawn.

Compressed are, one after another: the length of the rules' description (8 bytes), the description
(JSON), what was heard, and each rule's subjects, columns, devices with their columns, and tables. A
column is written in portions of rows, each behind a byte that says whether anything in it is worth
telling; numbers have their lowest byte first. Whoever writes or reads holds one portion besides the
state and its bytes.
"""

import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt
import orjson

from devices.instant import NEVER, Micros
from devices.metric import BY_NAME
from devices.reading import I32, I64, Batch, Bool
from rules import older
from rules.carry import Remembered
from rules.errors import RuleError
from rules.held import read as read_held
from rules.held import saved as saved_held
from rules.loader import load
from rules.memory import (
    Memory,
    ThresholdMemory,
    by_device,
    columns_of,
    fresh_memory,
    tables_of,
)
from rules.model import Rule
from rules.newest import Newest, newest_of
from rules.silence import Silence, nothing_heard
from rules.sparse import Column, Sparse
from rules.waiting import Waiting
from rules.written import write

MARK = b"gridwarden-rules-6\n"
_WITHOUT_NEWEST = b"gridwarden-rules-5\n"
_WITHOUT_TABLES = b"gridwarden-rules-4\n"
"""Version 5: each rule on thresholds by itself remembers the newest readings; version 4: columns
by subject only, too; otherwise as now."""
_MARKS = (MARK, _WITHOUT_NEWEST, _WITHOUT_TABLES)
_NEWER = frozenset({"rank", "ending", "lapsed"})
"""Columns that states have which name their columns; others have none of them."""
_FASTEST = 1
_PORTION = 65_536
_USUAL, _TOLD = b"\0", b"\1"
_LONGEST = 2**31
"""Rows or bytes of anything: more is a sign of damage."""


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What is saved: when devices were heard, but not their limits, what they said last, and each
    rule's memory.
    """

    silence: Silence
    newest: Newest
    memories: list[Remembered]
    waiting: Mapping[int, Waiting] = field(default_factory=dict)


def encode(saved: Snapshot) -> bytes:
    """The snapshot as bytes."""
    packing = zlib.compressobj(_FASTEST)
    parts = [packing.compress(part) for part in _parts(saved)]
    return b"".join([MARK, *parts, packing.flush()])


def _parts(saved: Snapshot) -> Iterator[bytes]:
    heard, told = saved.silence.alive, saved.newest.told()
    late = {late: waiting.newest.told() for late, waiting in saved.waiting.items()}
    description = orjson.dumps(
        {
            "devices": len(heard),
            "newest": len(told.device),
            "rules": [
                _rule_fields(past.rule) | _sizes(past) | _parts_of(past) for past in saved.memories
            ],
            "waiting": [
                {
                    "lateness": lateness,
                    "devices": len(w.covered),
                    "newest": len(late[lateness].device),
                    "rows": len(w.rows),
                }
                for lateness, w in saved.waiting.items()
            ],
        }
    )
    yield len(description).to_bytes(8, "little")
    yield description
    for column, near in _ears(saved.silence):
        yield from _written(column, near)
    yield from _written_newest(told, heard)
    for past in saved.memories:
        yield from _written(past.subject_ids)
        yield from _written(past.away)
        for column in columns_of(past.memory).values():
            yield from _written(column)
        yield from _further(past)
    for lateness, waiting in saved.waiting.items():
        for column in _of_waiting(waiting):
            yield from _written(column)
        yield from _written_newest(late[lateness], waiting.silence.alive)


def _written_newest(newest: Newest, heard: I64) -> Iterator[bytes]:
    """What devices said last: mostly at the time at which they were last heard."""
    yield from _written(newest.device)
    yield from _written(newest.metric)
    yield from _written(newest.time, _Of(heard, newest.device))
    yield from _written(newest.value)


def _of_waiting(waiting: Waiting) -> Iterator[Column]:
    """What rules with a lateness have heard, whose rows wait, and these rows, column by column."""
    rows = waiting.rows
    yield from waiting.silence.kept().values()
    yield waiting.covered
    yield from (getattr(rows, column.name) for column in fields(rows))


def _further(past: Remembered) -> Iterator[bytes]:
    """What is remembered by device, and the tables."""
    columns = by_device(past.memory)
    if columns:
        yield from _written(past.devices)
    for known in columns.values():
        yield from _written(known.values)
    for table in tables_of(past.memory).values():
        yield from _written(table.slot)
        for name in table:
            yield from _written(table[name])


def _sizes(past: Remembered) -> dict[str, object]:
    tables = {name: len(table) for name, table in tables_of(past.memory).items()}
    devices = len(past.devices) if by_device(past.memory) else 0
    return {"subjects": len(past.subject_ids), "devices": devices, "tables": tables}


def _parts_of(past: Remembered) -> dict[str, object]:
    return {
        "subjects": len(past.subject_ids),
        "columns": list(columns_of(past.memory)),
        "held": saved_held(past.held),
    }


def _written(column: Column, near: "I64 | _Of | None" = None) -> Iterator[bytes]:
    """near: numbers (n,) that the column's are often equal to: the differences are written."""
    for start in range(0, len(column), _PORTION):
        rows = slice(start, start + _PORTION)
        if isinstance(column, Sparse) and not column.unusual(rows).any():
            yield _USUAL
            continue
        numbers = column[rows] if near is None else column[rows] - near[rows]
        yield _TOLD
        yield numbers.astype(numbers.dtype.newbyteorder("<"), copy=False).tobytes()


class _Of:
    """The numbers of some rows, taken when they are asked for."""

    def __init__(self, numbers: I64, rows: I32) -> None:
        self._numbers, self._rows = numbers, rows

    def __getitem__(self, which: slice) -> I64:
        return self._numbers[self._rows[which]]


def _ears(silence: Silence) -> Iterator[tuple[Column, I64 | None]]:
    """What was heard, column by column, each with what it is written by."""
    yield silence.alive, None
    for name, column in silence.kept().items():
        if name != "alive":
            yield column, silence.alive if name == "heard" else None


def _near(name: str, memory: Memory, subject_ids: I32, heard: I64 | None) -> _Of | None:
    """In older states: what a rule judged last is mostly what its device said last."""
    if heard is None or name != "judged" or not isinstance(memory, ThresholdMemory):
        return None
    return _Of(heard, subject_ids) if int(subject_ids.max(initial=-1)) < len(heard) else None


def _rule_fields(rule: Rule) -> dict[str, object]:
    return {
        "as_data": write(rule),
        "fingerprint": rule.fingerprint,
        "source": rule.source,
        "line": rule.line,
        "text": rule.text,
    }


_DAMAGE = (zlib.error, zipfile.BadZipFile, ValueError, LookupError, TypeError, OSError, RuleError)


def rules_of(data: bytes) -> tuple[Rule, ...]:
    """The rules that the snapshot in these bytes is about; RuleError as `decode`.

    Their memories are not looked at.
    """
    if not data.startswith(_MARKS):
        return tuple(past.rule for past in decode(data).memories)
    try:
        return tuple(_rule(fields) for fields in _Reader(data).description()["rules"])
    except _DAMAGE as error:
        _refuse(data, f"{type(error).__name__}: {error}")


def decode(data: bytes) -> Snapshot:
    """The snapshot in these bytes; RuleError where they are damaged or of another version."""
    try:
        if data.startswith(_MARKS):
            return _read(_Reader(data))
        if data.startswith((older.ARCHIVE, older.BEFORE_GATEWAYS)):
            return _of_arrays(older.read(data))
    except _DAMAGE as error:
        _refuse(data, f"{type(error).__name__}: {error}")
    else:
        _refuse(data, f"it begins with {data[: len(MARK)]!r}, not with {MARK!r}")


def _refuse(data: bytes, why: str) -> NoReturn:
    raise RuleError(f"saved rule state of {len(data)} bytes cannot be used: {why}") from None


class _Reader:
    """Unpacks as much as is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = memoryview(data), len(MARK)
        self._packed, self._left = zlib.decompressobj(), b""

    def take(self, count: int) -> bytes:
        """The next bytes; ValueError where there are fewer."""
        if not 0 <= count < _LONGEST:
            raise ValueError(f"a part of {count} bytes")
        parts, missing = list[bytes](), count
        while missing:
            part = self._some(missing)
            if not part:
                raise ValueError(f"it ends {missing} bytes early")
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def description(self) -> dict[str, Any]:
        """How many devices, and which rules: what everything begins with."""
        told: dict[str, Any] = orjson.loads(self.take(int.from_bytes(self.take(8), "little")))
        return told

    def end(self) -> None:
        """Check that it was whole; ValueError where it was not."""
        if self._some(1) or not self._packed.eof:
            raise ValueError("it does not end where it should")

    def _some(self, most: int) -> bytes:
        """At most so many of the next bytes; none at the end."""
        while not self._packed.eof:
            fed = self._left or bytes(self._data[self._at : self._at + _PORTION])
            self._at += 0 if self._left else len(fed)
            part = self._packed.decompress(fed, most)
            self._left = self._packed.unconsumed_tail
            if part or not fed:
                return part
        return b""

    def numbers(self, count: int, kind: "np.dtype[Any]") -> npt.NDArray[Any]:
        """The next numbers of this type."""
        taken = self.take(count * kind.itemsize)
        return np.frombuffer(taken, kind.newbyteorder("<")).astype(kind, copy=False)

    def fill(self, column: Column, near: "I64 | _Of | None" = None) -> None:
        """The next column. near: as it was written."""
        width = column.shape[1:]
        for start in range(0, len(column), _PORTION):
            rows = slice(start, min(start + _PORTION, len(column)))
            if self.take(1) == _USUAL:
                continue
            shape = (rows.stop - rows.start, *width)
            numbers = self.numbers(int(np.prod(shape)), column.dtype).reshape(shape)
            column[rows] = numbers if near is None else numbers + near[rows]


def _read(reader: _Reader) -> Snapshot:
    description = reader.description()
    silence = nothing_heard(_count(description["devices"]))
    for column, near in _ears(silence):
        reader.fill(column, near)
    newest = _read_newest(reader, description, silence.alive)
    heard = None if "newest" in description else silence.alive
    memories = [_read_rule(reader, rule, heard) for rule in description["rules"]]
    waiting = {
        _lateness(told["lateness"]): _read_waiting(reader, told)
        for told in description.get("waiting", [])
    }
    reader.end()
    if "newest" in description:
        return _known(Snapshot(silence, newest, memories, waiting))
    return _known(_of_rules(Snapshot(silence, newest, memories, waiting)))


def _read_newest(reader: _Reader, told: Mapping[str, Any], heard: I64) -> Newest:
    """What devices said last; nothing where each rule says so by itself."""
    if "newest" not in told:
        return Newest.none()
    k = _count(told["newest"])
    device, metric = np.zeros(k, np.int32), np.zeros(k, np.int32)
    newest = Newest(device, metric, np.zeros(k, np.int64), np.zeros(k))
    reader.fill(newest.device)
    reader.fill(newest.metric)
    reader.fill(newest.time, _Of(heard, newest.device))
    reader.fill(newest.value)
    return newest


def _known(saved: Snapshot) -> Snapshot:
    """The same, each rule with what its devices said last."""
    newest = {0: saved.newest} | {late: own.newest for late, own in saved.waiting.items()}
    none = Newest.none()
    memories = [
        replace(past, newest=newest.get(past.rule.lateness, none)) for past in saved.memories
    ]
    return replace(saved, memories=memories)


def _of_rules(saved: Snapshot) -> Snapshot:
    """An older state as it is saved now: what each rule judged last, for all of them."""
    by_lateness = defaultdict[Micros, list[Newest]](list)
    for past in saved.memories:
        by_lateness[past.rule.lateness].append(past.newest)
    for late, waiting in saved.waiting.items():
        waiting.newest = newest_of(by_lateness[late])
    return replace(saved, newest=newest_of(by_lateness[0]))


def _judged_last(rule: Rule, ids: I32, memory: Memory, values: Sparse[np.float64]) -> Newest:
    """In older states: what a rule on thresholds has judged last, no longer kept with the rule."""
    if not isinstance(memory, ThresholdMemory):
        return Newest.none()
    metric = BY_NAME[rule.watch.metrics[0]]
    if metric.occurs:
        return Newest.none()
    slots = np.flatnonzero(memory.judged.unusual())
    metrics = np.full(len(slots), metric.id, np.int32)
    told = Newest(ids[slots], metrics, memory.judged[slots], values[slots])
    memory.judged[slots] = NEVER
    return told


def _read_waiting(reader: _Reader, told: Mapping[str, Any]) -> Waiting:
    devices, rows = _count(told["devices"]), _count(told["rows"])
    none = Batch.empty()
    columns = {c.name: np.zeros(rows, getattr(none, c.name).dtype) for c in fields(none)}
    waiting = Waiting(nothing_heard(devices), Newest.none(), np.zeros(devices, np.bool_))
    waiting.parts += [Batch(**columns)] if rows else []
    for column in (*waiting.silence.kept().values(), waiting.covered, *columns.values()):
        reader.fill(column)
    waiting.newest = _read_newest(reader, told, waiting.silence.alive)
    return waiting


def _count(told: object) -> int:
    if not isinstance(told, int) or not 0 <= told < _LONGEST:
        raise ValueError(f"{told!r} is no number of rows")
    return told


def _lateness(told: object) -> int:
    if not isinstance(told, int) or told <= 0:
        raise ValueError(f"{told!r} is no lateness, µs")
    return told


def _read_rule(reader: _Reader, fields: Mapping[str, Any], heard: I64 | None) -> Remembered:
    """heard: of an older state, by which times are written."""
    rule, n, m = _rule(fields), _count(fields["subjects"]), _count(fields.get("devices", 0))
    ids: I32 = np.zeros(n, np.int32)
    away: Bool = np.zeros(n, np.bool_)
    reader.fill(ids)
    reader.fill(away)
    memory = fresh_memory(rule, n, m, 0)
    columns, values = dict(columns_of(memory)), Sparse(n, np.float64(np.nan))
    if isinstance(memory, ThresholdMemory):
        columns = {"judged": columns.pop("judged"), "value": values} | columns
    for name in fields.get("columns", [name for name in columns if name not in _NEWER]):
        reader.fill(columns[name], _near(name, memory, ids, heard))
    devices = _read_further(reader, memory, m, fields.get("tables", {}))
    held, newest = read_held(fields.get("held", [])), _judged_last(rule, ids, memory, values)
    return Remembered(rule, ids, away, devices, memory, held, newest)


def _read_further(reader: _Reader, memory: Memory, m: int, sizes: Mapping[str, Any]) -> I32:
    """What is remembered by device, and the tables, into this memory; the devices' ids."""
    columns, devices = by_device(memory), np.zeros(m, np.int32)
    if columns:
        reader.fill(devices)
    for known in columns.values():
        reader.fill(known.values)
    for name, table in tables_of(memory).items():
        k = _count(sizes.get(name, 0))
        table.slot = np.zeros(k, np.int32)
        reader.fill(table.slot)
        for column, kind in table.kinds.items():
            table.columns[column] = np.zeros(k, kind)
            reader.fill(table.columns[column])
    return devices


def _of_arrays(arrays: older.Arrays) -> Snapshot:
    memories = []
    for i, told in enumerate(older.fields_of(arrays)):
        rule = _rule(told)
        ids = older.checked(arrays, f"{i}.subject_ids", np.empty(0, np.int32))
        away = older.checked(arrays, f"{i}.away", np.empty(len(ids), np.bool_), like_length=True)
        memory = fresh_memory(rule, len(ids), 0, 0)
        columns, values = dict(columns_of(memory)), Sparse(len(ids), np.float64(np.nan))
        if isinstance(memory, ThresholdMemory):
            columns["value"] = values
        for name, column in columns.items():
            if name not in _NEWER:
                older.take(column, older.checked(arrays, f"{i}.{name}", column, like_length=True))
        newest = _judged_last(rule, ids, memory, values)
        nobody = np.empty(0, np.int32)
        memories.append(Remembered(rule, ids, away, nobody, memory, newest=newest))
    return _known(_of_rules(Snapshot(older.silence_of(arrays), Newest.none(), memories)))


def _rule(fields: Mapping[str, Any]) -> Rule:
    (rule,) = load({"saved state": fields["as_data"]})
    return replace(
        rule,
        fingerprint=fields["fingerprint"],
        source=fields["source"],
        line=int(fields["line"]),
        text=fields["text"],
    )
