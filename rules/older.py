"""Saved states of versions 2 and 3: a mark, then a compressed archive of numpy arrays.

Nothing writes them any more; a service that is brought up to date reads its last one.
"""

import io
import zlib
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

from rules.errors import RuleError
from rules.silence import Silence, nothing_heard
from rules.sparse import Column, Sparse

BEFORE_GATEWAYS = b"gridwarden-rules-2\n"
"""Who had said 'offline' was not remembered, and counts as heard then."""
ARCHIVE = b"gridwarden-rules-3\n"

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]


def read(data: bytes) -> Arrays:
    """The arrays of a state that begins with one of these marks.

    zlib.error, zipfile.BadZipFile, OSError, ValueError or KeyError where it is damaged.
    """
    packed = io.BytesIO(zlib.decompress(data[len(ARCHIVE) :]))
    with np.load(packed, allow_pickle=False) as archive:
        arrays = dict(archive)
    return _newer(arrays) if data.startswith(BEFORE_GATEWAYS) else arrays


def fields_of(arrays: Arrays) -> list[dict[str, Any]]:
    """The saved rules, each as it was written."""
    rules: list[dict[str, Any]] = orjson.loads(arrays["rules"].tobytes())
    return rules


def silence_of(arrays: Arrays) -> Silence:
    """When devices were heard."""
    silence = nothing_heard(len(checked(arrays, "heard", np.empty(0, np.int64))))
    for name, column in silence.kept().items():
        take(column, checked(arrays, name, column, like_length=True))
    return silence


def take(column: Column, array: npt.NDArray[Any]) -> None:
    """Fill the column with these numbers."""
    if isinstance(column, Sparse):
        column.put(np.arange(len(column)), array)
    else:
        column[:] = array


def checked(
    arrays: Arrays, name: str, like: Column, *, like_length: bool = False
) -> npt.NDArray[Any]:
    """The array of this name; RuleError where it is not what it should be."""
    array = arrays[name]
    if array.dtype != like.dtype or (like_length and array.shape != like.shape):
        raise RuleError(
            f"{name} is {array.dtype} {array.shape}, expected {like.dtype} {like.shape}"
        )
    return array


def _newer(arrays: dict[str, npt.NDArray[Any]]) -> Arrays:
    """The arrays of a state from before gateways as version 3 has them."""
    fresh = nothing_heard(len(arrays["heard"])).kept()
    never = {name: column[:] for name, column in fresh.items()}
    return {**never, **arrays, "alive": arrays["heard"], "spoke": arrays["ever"]}
