"""Devices and households as columns: what a million of them need is a few dozen bytes each.

To their users they are mappings by id, in the order in which they were given; a `Device` or a
`Household` is made when one is asked for. Whoever is about all of them reads the columns.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import index
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from devices.instant import Micros
from devices.lookup import Lookup
from devices.reading import F64, I32, I64, Bool
from devices.registered import Device, Household
from devices.texts import Texts

NONE = -1
"""In a column of ids: there is none."""

_READ = 4_096
"""Names and attributes that are kept as they were read."""

Row = TypeVar("Row")
Numbers: TypeAlias = npt.NDArray[np.integer[Any]]
"""Whole numbers of whatever width holds them."""


class Model(NamedTuple):
    """What many devices share. metrics: names · interval: µs."""

    community: str
    kind: str
    interval: Micros
    metrics: tuple[str, ...]


def same_address(address: str) -> str:
    """Addresses are the same where these are: vendors write them in large letters or small."""
    return address.strip().casefold()


class Columns(Mapping[int, Row], Generic[Row]):
    """Rows of one kind by their ids. ids: int32 (n,), each once."""

    def __init__(self, ids: I32) -> None:
        self.ids = ids
        self._ids = ids.data
        self._first = int(ids[0]) if len(ids) else 0
        steps = np.diff(ids)
        self._gapless = bool((steps == 1).all())
        self._order: I64 | None = None if (steps > 0).all() else np.argsort(ids, kind="stable")
        self._ascending: I32 = ids if self._order is None else ids[self._order]
        self._sorted = self._ascending.data

    @abstractmethod
    def at(self, row: int) -> Row:
        """What stands in this row, 0 … n-1."""

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[int]:
        return iter(self._ids)

    def __getitem__(self, key: int) -> Row:
        row = self._row(key)
        if row < 0:
            raise KeyError(key)
        return self.at(row)

    def __contains__(self, key: object) -> bool:
        return self._row(key) >= 0

    def rows(self, ids: I32 | I64) -> I64:
        """The row of each of these ids; -1 where it is not here."""
        if not len(self.ids):
            return np.full(len(ids), -1, np.int64)
        place = np.minimum(np.searchsorted(self._ascending, ids), len(self.ids) - 1)
        row = place if self._order is None else self._order[place]
        return np.where(self._ascending[place] == ids, row, -1)

    def _row(self, key: object) -> int:
        try:
            number = index(key)  # type: ignore[arg-type]
        except TypeError:
            return -1
        if self._gapless:
            row = number - self._first
            return row if 0 <= row < len(self._ids) else -1
        place = bisect_left(self._sorted, number)
        if place == len(self._sorted) or self._sorted[place] != number:
            return -1
        return place if self._order is None else int(self._order[place])


@dataclass(frozen=True, slots=True, eq=False)
class HouseholdParts:
    """The columns behind `HouseholdColumns`, (n,) each. name: numbers in `names`, JSON texts."""

    ids: I32
    codes: Texts
    area: I32
    name: Numbers
    names: Texts
    care: Bool
    away: Bool


class HouseholdColumns(Columns[Household]):
    """Households. area: ids, int32 (n,) · care, away: bool (n,)."""

    def __init__(self, parts: HouseholdParts) -> None:
        super().__init__(parts.ids)
        self.area, self.care, self.away = parts.area, parts.care, parts.away
        self._codes, self._name, self._names = parts.codes, parts.name, _Mappings(parts.names)

    def at(self, row: int) -> Household:
        """The household in this row."""
        return Household(
            self._ids[row],
            self._codes[row],
            int(self.area[row]),
            self._names.read(int(self._name[row])),
            bool(self.care[row]),
            bool(self.away[row]),
        )


@dataclass(frozen=True, slots=True, eq=False)
class DeviceParts:
    """The columns behind `DeviceColumns`, (n,) each.

    model, name, attributes, address: numbers, in `models` and in texts; names and attributes are
    JSON, and an address 0 is none · area, household, gateway: ids, NONE where there is none
    hashes: of (community, code) · address_hashes: of (community, same address), where it has one.
    """

    ids: I32
    codes: Texts
    hashes: I64
    model: Numbers
    models: tuple[Model, ...]
    area: I32
    household: I32
    gateway: I32
    name: Numbers
    names: Texts
    attributes: Numbers
    attribute_sets: Texts
    address: Numbers
    addresses: Texts
    address_hashes: I64


class DeviceColumns(Columns[Device]):
    """Devices. area, household, gateway: ids, int32 (n,), NONE where there is none · model: numbers
    in `models`, (n,).
    """

    def __init__(self, parts: DeviceParts) -> None:
        super().__init__(parts.ids)
        self.models, self.model = parts.models, parts.model
        self.area, self.household, self.gateway = parts.area, parts.household, parts.gateway
        self._model = parts.model.data
        self._area, self._household = parts.area.data, parts.household.data
        self._gateway = parts.gateway.data
        self._codes, self._addresses, self._address = (
            parts.codes,
            parts.addresses,
            parts.address.data,
        )
        self._name, self._names = parts.name.data, _Mappings(parts.names)
        self._attributes, self._attribute_sets = parts.attributes, _Mappings(parts.attribute_sets)
        self._attribute = parts.attributes.data
        self._by_code = Lookup(parts.hashes)
        self._by_address = Lookup(parts.address_hashes, np.flatnonzero(parts.address))

    def at(self, row: int) -> Device:
        """The device in this row."""
        community, kind, interval, metrics = self.models[self._model[row]]
        household, gateway, address = self._household[row], self._gateway[row], self._address[row]
        return Device(
            self._ids[row],
            self._codes[row],
            community,
            kind,
            self._area[row],
            None if household == NONE else household,
            interval,
            metrics,
            self._names.read(self._name[row]),
            self._attribute_sets.read(self._attribute[row]),
            self._addresses[address] if address else None,
            None if gateway == NONE else gateway,
        )

    def id_at(self, row: int) -> int:
        """The id of the device in this row."""
        return self._ids[row]

    def find(self, community: str, code: str) -> int:
        """The row of the device with this code in this community; -1 if there is none."""
        table, mask = self._by_code.table, self._by_code.mask
        place = hash((community, code)) & mask
        while row := table[place]:
            row -= 1
            if self._codes[row] == code and self.models[self._model[row]][0] == community:
                return row
            place = (place + 1) & mask
        return -1

    def find_address(self, community: str, address: str) -> int:
        """The row of the device with this address in this community; -1 if there is none."""
        wanted = same_address(address)
        for row in self._by_address.rows(hash((community, wanted))):
            own = self._addresses[self._address[row]]
            if same_address(own) == wanted and self.models[self._model[row]].community == community:
                return row
        return -1

    def attribute(self, name: str) -> F64:
        """This attribute of each device, float64 (n,); NaN where it has none of that name."""
        told = (attributes.get(name, np.nan) for attributes in self._attribute_sets)
        return np.fromiter(told, np.float64, len(self._attribute_sets))[self._attributes]

    def having(self, name: str) -> Bool:
        """Which devices have an attribute of this name, bool (n,)."""
        have = (name in attributes for attributes in self._attribute_sets)
        return np.fromiter(have, np.bool_, len(self._attribute_sets))[self._attributes]


class _Mappings:
    """JSON texts as what they say; some thousands are kept as they were read."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts
        self._read: dict[int, Mapping[str, Any]] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return map(orjson.loads, self._texts)

    def read(self, number: int) -> Mapping[str, Any]:
        """What this text says."""
        known = self._read.get(number)
        if known is None:
            if len(self._read) >= _READ:
                self._read.clear()
            known = self._read[number] = orjson.loads(self._texts[number])
        return known
