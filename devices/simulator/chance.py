"""Chance by name: numbers that follow from a key and counters alone, whole columns at once.

A key is 64 bits made of a seed and a name; `draw` hashes it with a purpose and counters (a day, a
slot, a count). Who else is drawn for, and in which order, changes nothing, and nothing is kept.
The mixing is the finaliser of SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number
Generators", OOPSLA 2014).
"""

from hashlib import blake2b
from typing import Final, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

from devices.reading import F64, I64

U64: TypeAlias = npt.NDArray[np.uint64]

_MASK: Final = 2**64 - 1
_STEP: Final = 0x9E3779B97F4A7C15
_SECOND_STEP: Final = 0xD1342543DE82EF95
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)


def key_of(seed: int, *names: str) -> int:
    """64 bits that belong to this seed and these names."""
    text = "/".join((str(seed), *names))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")


def bits(keys: U64, purpose: str, count: I64 | int = 0, other: I64 | int = 0) -> U64:
    """64 random bits for each key, purpose and pair of counters; shapes are broadcast."""
    offset = crc32(purpose.encode()) * _SECOND_STEP
    offset += _scalar(count, _STEP) + _scalar(other, _SECOND_STEP)
    mixed = keys + np.uint64(offset & _MASK)
    for counter, step in ((count, _STEP), (other, _SECOND_STEP)):
        if isinstance(counter, np.ndarray):
            mixed = mixed + counter.astype(np.uint64) * np.uint64(step)
    mixed ^= mixed >> np.uint64(30)
    mixed *= _FIRST
    mixed ^= mixed >> np.uint64(27)
    mixed *= _SECOND
    mixed ^= mixed >> np.uint64(31)
    return mixed


def draw(keys: U64, purpose: str, count: I64 | int = 0, other: I64 | int = 0) -> F64:
    """Uniform numbers, 0 ≤ u < 1."""
    high = (bits(keys, purpose, count, other) >> np.uint64(11)).astype(np.float64)
    share: F64 = high * np.float64(2.0**-53)
    return share


def between(low: float, high: float, keys: U64, purpose: str, count: I64 | int = 0) -> F64:
    """Uniform numbers, low ≤ u < high."""
    return low + (high - low) * draw(keys, purpose, count)


def normal(keys: U64, purpose: str, count: I64 | int = 0, other: I64 | int = 0) -> F64:
    """Normal numbers of mean 0 and deviation 1 (Box and Muller), none beyond 6.7."""
    both = bits(keys, purpose, count, other)
    radius = ((both >> np.uint64(32)).astype(np.float64) + 1.0) * 2.0**-32
    angle = (both & np.uint64(0xFFFFFFFF)).astype(np.float64) * (2.0 * np.pi * 2.0**-32)
    deviates: F64 = np.sqrt(-2.0 * np.log(radius)) * np.cos(angle)
    return deviates


def _scalar(counter: I64 | int, step: int) -> int:
    return 0 if isinstance(counter, np.ndarray) else int(counter) * step
