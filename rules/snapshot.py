"""The bytes of a saved state: a mark with the version, then compressed arrays; never pickled.

Beside its arrays each rule is saved as text, so that a state whose rules are gone can still say of
which rule the alerts are that must be withdrawn.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import orjson

from rules.carry import Remembered
from rules.errors import RuleError
from rules.loader import load
from rules.memory import AnyArray, arrays_of, fresh_memory
from rules.model import Rule
from rules.silence import Silence, nothing_heard
from rules.written import write

MARK = b"gridwarden-rules-3\n"
OLDER = b"gridwarden-rules-2\n"
"""Before gateways: who had said 'offline' was not remembered, and counts as heard then."""
_FASTEST = 1


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What is saved: when devices were heard, but not their limits, and each rule's memory."""

    silence: Silence
    memories: list[Remembered]


def encode(saved: Snapshot) -> bytes:
    """The snapshot as bytes."""
    return encode_arrays(MARK, saved.memories, {**saved.silence.kept()})


def encode_arrays(
    mark: bytes, memories: Sequence[Remembered], heard: Mapping[str, AnyArray]
) -> bytes:
    """The bytes of a snapshot of the version with this mark; `heard` are the silence's arrays."""
    arrays = dict(heard)
    for i, past in enumerate(memories):
        arrays |= {f"{i}.{name}": array for name, array in arrays_of(past.memory).items()}
        arrays |= {f"{i}.subject_ids": past.subject_ids, f"{i}.away": past.away}
    rules = [_rule_fields(past.rule) for past in memories]
    written = np.frombuffer(orjson.dumps(rules), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, rules=written, **arrays)
    return mark + zlib.compress(packed.getbuffer(), _FASTEST)


def _rule_fields(rule: Rule) -> Mapping[str, object]:
    return {
        "as_data": write(rule),
        "fingerprint": rule.fingerprint,
        "source": rule.source,
        "line": rule.line,
        "text": rule.text,
    }


def decode(data: bytes) -> Snapshot:
    """The snapshot in these bytes; RuleError where they are damaged or of another version."""
    older = data.startswith(OLDER)
    if not older and not data.startswith(MARK):
        _refuse(data, f"it begins with {data[: len(MARK)]!r}, not with {MARK!r}")
    try:
        packed = io.BytesIO(zlib.decompress(data[len(MARK) :]))
        with np.load(packed, allow_pickle=False) as arrays:
            return _unpacked(_newer(dict(arrays)) if older else dict(arrays))
    except (zlib.error, zipfile.BadZipFile, ValueError, KeyError, OSError, RuleError) as error:
        _refuse(data, f"{type(error).__name__}: {error}")


def _refuse(data: bytes, why: str) -> NoReturn:
    raise RuleError(f"saved rule state of {len(data)} bytes cannot be used: {why}") from None


def _unpacked(arrays: Mapping[str, AnyArray]) -> Snapshot:
    silence = nothing_heard(len(_checked(arrays, "heard", np.empty(0, np.int64))))
    for name, array in silence.kept().items():
        array[...] = _checked(arrays, name, array, like_length=True)
    rules = orjson.loads(arrays["rules"].tobytes())
    memories = [_memory(arrays, i, fields) for i, fields in enumerate(rules)]
    return Snapshot(silence, memories)


def _newer(arrays: dict[str, AnyArray]) -> dict[str, AnyArray]:
    """The arrays of an older state as this version has them."""
    fresh = nothing_heard(len(arrays["heard"])).kept()
    return {**fresh, **arrays, "alive": arrays["heard"], "spoke": arrays["ever"]}


def _memory(arrays: Mapping[str, AnyArray], index: int, fields: Mapping[str, str]) -> Remembered:
    (rule,) = load({"saved state": fields["as_data"]})
    rule = replace(
        rule,
        fingerprint=fields["fingerprint"],
        source=fields["source"],
        line=int(fields["line"]),
        text=fields["text"],
    )
    ids = _checked(arrays, f"{index}.subject_ids", np.empty(0, np.int32)).astype(np.int32)
    away = _checked(arrays, f"{index}.away", np.empty(len(ids), np.bool_), like_length=True)
    memory = fresh_memory(rule, len(ids), 0)
    for name, array in arrays_of(memory).items():
        array[...] = _checked(arrays, f"{index}.{name}", array, like_length=True)
    return Remembered(rule, ids, away.astype(np.bool_), memory)


def _checked(
    arrays: Mapping[str, AnyArray], name: str, like: AnyArray, *, like_length: bool = False
) -> AnyArray:
    array = arrays[name]
    if array.dtype != like.dtype or (like_length and array.shape != like.shape):
        raise RuleError(
            f"{name} is {array.dtype} {array.shape}, expected {like.dtype} {like.shape}"
        )
    return array
