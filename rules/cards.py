"""Cards that are remembered by their number: a table in which the row of each is soon found.

As it is saved and moved it is a table as any other. While readings are judged its rows stand as
they came, in columns with room for more, and places are found by open addressing with linear
probing (Knuth, The Art of Computer Programming 3, 6.4): a row costs 8 to 20 bytes for that. Whoever
asks for the table's own columns puts an end to it, until a card is looked for again.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from devices.reading import I32, I64, Bool
from rules.silence import Rows
from rules.table import Numbers, Table

_KINDS: Mapping[str, type[Any]] = {
    "token": np.int64,
    "issue": np.int32,
    "since": np.int64,
    "newest": np.int64,
    "told": np.int64,
}
_ROOM = 64
_FEW = 8
"""Up to so many are looked at one by one."""
_GOLDEN = 0x9E3779B97F4A7C15
"""2^64 by the golden ratio: what is near is spread far (Knuth, as above)."""
_WHOLE = 2**64 - 1
_APART = 0x2545F4914F6CDD1D
"""So far apart lie the numbers of two communities' cards of one token; odd."""


def keys(slot: I64, token: I64) -> I64:
    """One number of each card, (k,); two cards have the same by a rare chance only."""
    key = slot * _APART
    key += token
    return key


class Found:
    """The columns of a table of cards, with room for more, and where each card stands in them.

    home: by what a card's number and community hash to, the row of the card there, counted from 1;
    0 where there is none.
    """

    __slots__ = ("_bits", "_home", "_last", "columns", "count")

    def __init__(self, slot: I32, columns: Mapping[str, Numbers]) -> None:
        self.count = len(slot)
        self.columns: dict[str, Numbers] = {"slot": slot, **columns}
        self._widen(self.count)

    def find(self, slot: I64, token: I64) -> I64:
        """The row of each of these cards, -1 where it is not known."""
        at = self._hashed(slot, token)
        row = self._home.take(at).astype(np.int64) - 1
        odd = self._others(row, slot, token).nonzero()[0]
        while len(odd) > _FEW:
            at[odd] = (at[odd] + 1) & self._last
            row[odd] = self._home[at[odd]] - 1
            odd = odd[self._others(row[odd], slot[odd], token[odd])]
        for one in odd.tolist():
            row[one] = self.row_of(slot.item(one), token.item(one))
        return row

    def put(self, slot: I64, **columns: Numbers) -> None:
        """Put in these cards, of which none is known and none comes twice."""
        start, end = self.count, self.count + len(slot)
        if end > len(self.columns["slot"]):
            self._widen(end)
        self.columns["slot"][start:end] = slot
        for name, column in columns.items():
            self.columns[name][start:end] = column
        self.count = end
        self._settle(np.arange(start, end), self._hashed(slot, columns["token"]))

    def row_of(self, slot: int, token: int) -> int:
        """The row of a card, -1 where it is not known."""
        home, columns = self._home, self.columns
        at = self._hashed_one(slot, token)
        while (row := home.item(at) - 1) >= 0:
            if columns["token"].item(row) == token and columns["slot"].item(row) == slot:
                return row
            at = (at + 1) & self._last
        return -1

    def put_one(self, slot: int, token: int, rest: tuple[int, int, int, int]) -> None:
        """Put in a card that is not known. rest: its other columns, in order."""
        row = self.count
        if row == len(self.columns["slot"]):
            self._widen(row + 1)
        for column, number in zip(self.columns.values(), (slot, token, *rest), strict=True):
            column[row] = number
        self.count = row + 1
        self._settle_one(row, self._hashed_one(slot, token))

    def _hashed_one(self, slot: int, token: int) -> int:
        return ((slot * _APART + token) * _GOLDEN & _WHOLE) >> self._bits

    def _others(self, row: I64, slot: I64, token: I64) -> Bool:
        """Where another card stands than the one looked for."""
        other: Bool = self.columns["token"].take(row) != token
        other |= self.columns["slot"].take(row) != slot
        other &= row >= 0
        return other

    def _hashed(self, slot: I64, token: I64) -> I64:
        mixed = keys(slot, token).view(np.uint64)
        mixed *= np.uint64(_GOLDEN)
        mixed >>= np.uint64(self._bits)
        return mixed.view(np.int64)

    def _widen(self, count: int) -> None:
        """Make room for so many rows and a quarter more."""
        room = max(count + count // 4, _ROOM)
        self.columns = {n: _longer(c[: self.count], room) for n, c in self.columns.items()}
        bits = (2 * room).bit_length()
        self._bits = 64 - bits
        self._home, self._last = np.zeros(1 << bits, np.int32), (1 << bits) - 1
        slot, token = (self.columns[name][: self.count] for name in ("slot", "token"))
        self._settle(np.arange(self.count), self._hashed(slot.astype(np.int64), token))

    def _settle(self, row: I64, at: I64) -> None:
        """Give each of these rows a place, from the one that it hashes to on."""
        while len(row) > _FEW:
            free = self._home.take(at) == 0
            self._home[at[free]] = row[free] + 1
            left = (self._home.take(at) != row + 1).nonzero()[0]
            row, at = row.take(left), (at.take(left) + 1) & self._last
        for one, place in zip(row.tolist(), at.tolist(), strict=True):
            self._settle_one(one, place)

    def _settle_one(self, row: int, at: int) -> None:
        while self._home.item(at):
            at = (at + 1) & self._last
        self._home[at] = row + 1


def _longer(column: Numbers, length: int) -> Numbers:
    longer = np.zeros(length, column.dtype)
    longer[: len(column)] = column
    return longer


class Cards(Table):
    """One row per credential: its latest issue, in µs when that was first read, when any was last,
    and the last use of an older one that was told, NEVER before the first.
    """

    __slots__ = ("_columns", "_found", "_slot")

    def __init__(self) -> None:
        self._found: Found | None = None
        super().__init__(**_KINDS)

    @classmethod
    def of(cls, table: Table) -> "Cards":
        """The table itself where it is one of these, else one with its rows."""
        if isinstance(table, Cards):
            return table
        cards = cls()
        cards.slot, cards.columns = table.slot.copy(), {n: table[n].copy() for n in table}
        return cards

    @property
    def slot(self) -> I32:
        """As of any table."""
        self._settle()
        return self._slot

    @slot.setter
    def slot(self, slot: I32) -> None:
        self._settle()
        self._slot = slot

    @property
    def columns(self) -> dict[str, Numbers]:
        """As of any table."""
        self._settle()
        return self._columns

    @columns.setter
    def columns(self, columns: dict[str, Numbers]) -> None:
        self._settle()
        self._columns = columns

    def copy(self) -> "Cards":
        """The same in memory of its own."""
        return Cards.of(super().copy())

    @property
    def found(self) -> Found:
        """To find cards, read them, write them and put in new ones."""
        if self._found is None:
            self._found = Found(self._slot, self._columns)
        return self._found

    def _settle(self) -> None:
        found, self._found = self._found, None
        if found is None:
            return
        slot: I32 = found.columns.pop("slot")[: found.count]
        order: Rows = slot.argsort(kind="stable")
        self._slot = slot.take(order)
        self._columns = {n: c[: found.count].take(order) for n, c in found.columns.items()}
