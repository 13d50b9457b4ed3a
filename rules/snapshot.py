"""The bytes of a saved state: a mark with the version, then compressed arrays; never pickled.

Beside its arrays each rule is saved as text, so that a state whose rules are gone can still say of
which rule the alerts are that must be withdrawn.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import orjson

from rules.carry import Remembered
from rules.errors import RuleError
from rules.hearing import Silence
from rules.loader import load
from rules.memory import AnyArray, arrays_of, fresh_memory
from rules.model import Rule
from rules.written import write

MARK = b"gridwarden-rules-2\n"
_FASTEST = 1


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What is saved: when devices were heard, but not their limits, and each rule's memory."""

    silence: Silence
    memories: list[Remembered]


def encode(saved: Snapshot) -> bytes:
    """The snapshot as bytes."""
    heard = saved.silence
    arrays: dict[str, AnyArray] = {"heard": heard.heard, "ever": heard.ever, "lag": heard.lag}
    for i, past in enumerate(saved.memories):
        arrays |= {f"{i}.{name}": array for name, array in arrays_of(past.memory).items()}
        arrays |= {f"{i}.subject_ids": past.subject_ids, f"{i}.away": past.away}
    rules = [_rule_fields(past.rule) for past in saved.memories]
    written = np.frombuffer(orjson.dumps(rules), np.uint8)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, rules=written, **arrays)
    return MARK + zlib.compress(packed.getbuffer(), _FASTEST)


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
    if not data.startswith(MARK):
        _refuse(data, f"it begins with {data[: len(MARK)]!r}, not with {MARK!r}")
    try:
        packed = io.BytesIO(zlib.decompress(data[len(MARK) :]))
        with np.load(packed, allow_pickle=False) as arrays:
            return _unpacked(dict(arrays))
    except (zlib.error, zipfile.BadZipFile, ValueError, KeyError, OSError, RuleError) as error:
        _refuse(data, f"{type(error).__name__}: {error}")


def _refuse(data: bytes, why: str) -> NoReturn:
    raise RuleError(f"saved rule state of {len(data)} bytes cannot be used: {why}") from None


def _unpacked(arrays: Mapping[str, AnyArray]) -> Snapshot:
    heard = _checked(arrays, "heard", np.empty(0, np.int64)).astype(np.int64)
    ever = _checked(arrays, "ever", np.empty(len(heard), np.bool_), like_length=True)
    lag = _checked(arrays, "lag", heard, like_length=True).astype(np.int64)
    silence = Silence(heard, ever.astype(np.bool_), lag, np.zeros_like(heard))
    rules = orjson.loads(arrays["rules"].tobytes())
    memories = [_memory(arrays, i, fields) for i, fields in enumerate(rules)]
    return Snapshot(silence, memories)


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
