"""Many short texts as one block of bytes: a Python text of its own takes some fifty bytes more.

A text is known by its number, in the order of adding. Those that often come again are kept once,
by a `Pool`.
"""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

_REMEMBERED = 65_536
"""Different texts that a pool looks for; of later ones equal ones may be kept twice."""
_CODEC, _ERRORS = "utf-8", "surrogatepass"

Scalar = TypeVar("Scalar", bound=np.generic)


class Texts:
    """Texts by number, 0 … n-1; none of them is changed or added."""

    def __init__(self, block: bytes, ends: "array[int]") -> None:
        """ends: where each text ends in the block, in bytes."""
        starts = np.zeros(len(ends) + 1, np.uint32 if len(block) < 2**32 else np.int64)
        if ends:
            starts[1:] = np.frombuffer(ends, np.int64)
        # A slice of a text needs no decoding; in ASCII its places are those of the bytes.
        self._block = block.decode("ascii") if block.isascii() else block
        self._starts = starts.data

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __iter__(self) -> Iterator[str]:
        return (self[number] for number in range(len(self)))

    def __getitem__(self, number: int) -> str:
        text = self._block[self._starts[number] : self._starts[number + 1]]
        return text if isinstance(text, str) else text.decode(_CODEC, _ERRORS)


class TextsBuilder:
    """Gathers texts."""

    def __init__(self) -> None:
        self._block = bytearray()
        self._ends = array("q")

    def __len__(self) -> int:
        return len(self._ends)

    def extend(self, texts: Iterable[str]) -> None:
        """Add these."""
        for text in texts:
            self._block += text.encode(_CODEC, _ERRORS)
            self._ends.append(len(self._block))

    def texts(self) -> Texts:
        """Those gathered so far."""
        return Texts(bytes(self._block), self._ends)


class Pool:
    """Gathers texts that often come again; number 0 is the one that it begins with."""

    def __init__(self, first: str) -> None:
        self._builder = TextsBuilder()
        self._numbers: dict[str, int] = {}
        self.number(first)

    def number(self, text: str) -> int:
        """The number of this text, which is added unless it is known."""
        known = self._numbers.get(text)
        if known is not None:
            return known
        number = len(self._builder)
        self._builder.extend((text,))
        if number < _REMEMBERED:
            self._numbers[text] = number
        return number

    def texts(self) -> Texts:
        """All of them, by number."""
        return self._builder.texts()


def narrow(column: npt.NDArray[np.int32]) -> npt.NDArray[np.integer[Any]]:
    """The same whole numbers in as few bytes as hold them."""
    low, high = column.min(initial=0), column.max(initial=0)
    fitting = np.result_type(np.min_scalar_type(low), np.min_scalar_type(high))
    return once(column.astype(fitting))


def once(column: npt.NDArray[Scalar]) -> npt.NDArray[Scalar]:
    """The same column, read-only; in memory once where it is the same in each row."""
    if len(column) and (column == column[0]).all():
        return np.broadcast_to(column[:1].copy(), column.shape)
    return column
