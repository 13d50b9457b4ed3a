"""Rows of devices and households gathered into columns, portion by portion.

A row is a tuple as a database gives it: names and attributes as JSON texts, metrics as one text.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import orjson

from devices.columns import (
    NONE,
    DeviceColumns,
    DeviceParts,
    HouseholdColumns,
    HouseholdParts,
    Model,
    same_address,
)
from devices.registered import Device, Household
from devices.texts import Pool, TextsBuilder, narrow, once

PORTION = 10_000
"""Rows that are taken at a time."""

_NOTHING = "{}"
_REMEMBERED = 4_096

T = TypeVar("T")
Scalar = TypeVar("Scalar", np.int32, np.int64)


class HouseholdsBuilder:
    """Gathers households."""

    def __init__(self) -> None:
        self._ids, self._area, self._name = array("i"), array("i"), array("i")
        self._care, self._away = array("b"), array("b")
        self._codes, self._names = TextsBuilder(), Pool(_NOTHING)

    def extend(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add these: id, code, area's id, name as JSON, care, away."""
        if not rows:
            return
        ids, codes, areas, names, care, away = zip(*rows, strict=True)
        self._ids.extend(ids)
        self._codes.extend(codes)
        self._area.extend(areas)
        self._name.extend(map(self._names.number, names))
        self._care.extend(care)
        self._away.extend(away)

    def columns(self) -> HouseholdColumns:
        """Those gathered."""
        parts = HouseholdParts(
            ids=_column(self._ids, np.int32),
            codes=self._codes.texts(),
            area=once(_column(self._area, np.int32)),
            name=narrow(_column(self._name, np.int32)),
            names=self._names.texts(),
            care=np.array(self._care, np.bool_),
            away=np.array(self._away, np.bool_),
        )
        return HouseholdColumns(parts)


class DevicesBuilder:
    """Gathers devices."""

    def __init__(self) -> None:
        self._ids, self._model, self._area = array("i"), array("i"), array("i")
        self._household, self._gateway = array("i"), array("i")
        self._name, self._attributes, self._address = array("i"), array("i"), array("i")
        self._hashes, self._address_hashes = array("q"), array("q")
        self._models: dict[tuple[str, str, int, str], int] = {}
        self._codes, self._addresses = TextsBuilder(), Pool("")
        self._names, self._attribute_sets = Pool(_NOTHING), Pool(_NOTHING)

    def extend(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add these: id, code, community's code, kind, area's id, household's id or None, interval
        in µs, metrics parted by blanks, name and attributes as JSON, address or None, gateway's id
        or None.
        """
        if not rows:
            return
        (ids, codes, communities, kinds, areas, households, intervals, metrics, names, attributes,
         addresses, gateways) = zip(*rows, strict=True)  # fmt: skip
        self._ids.extend(ids)
        self._codes.extend(codes)
        self._hashes.extend(map(hash, zip(communities, codes, strict=True)))
        models = zip(communities, kinds, intervals, metrics, strict=True)
        self._model.extend(map(self._model_of, models))
        self._area.extend(areas)
        self._household.extend(NONE if one is None else one for one in households)
        self._gateway.extend(NONE if one is None else one for one in gateways)
        self._name.extend(map(self._names.number, names))
        self._attributes.extend(map(self._attribute_sets.number, attributes))
        self._address.extend(self._addresses.number(one or "") for one in addresses)
        self._address_hashes.extend(
            hash((community, same_address(address)))
            for community, address in zip(communities, addresses, strict=True)
            if address
        )

    def columns(self) -> DeviceColumns:
        """Those gathered."""
        parts = DeviceParts(
            ids=_column(self._ids, np.int32),
            codes=self._codes.texts(),
            hashes=_column(self._hashes, np.int64),
            model=narrow(_column(self._model, np.int32)),
            models=tuple(Model(*key[:3], tuple(key[3].split())) for key in self._models),
            area=once(_column(self._area, np.int32)),
            household=once(_column(self._household, np.int32)),
            gateway=once(_column(self._gateway, np.int32)),
            name=narrow(_column(self._name, np.int32)),
            names=self._names.texts(),
            attributes=narrow(_column(self._attributes, np.int32)),
            attribute_sets=self._attribute_sets.texts(),
            address=narrow(_column(self._address, np.int32)),
            addresses=self._addresses.texts(),
            address_hashes=_column(self._address_hashes, np.int64),
        )
        return DeviceColumns(parts)

    def _model_of(self, key: tuple[str, str, int, str]) -> int:
        return self._models.setdefault(key, len(self._models))


def _column(numbers: "array[int]", kind: type[Scalar]) -> npt.NDArray[Scalar]:
    """These numbers as an array, in the memory in which they are."""
    return np.frombuffer(numbers, kind) if numbers else np.empty(0, kind)


def households_of(households: Iterable[Household]) -> HouseholdColumns:
    """These as columns; of those with one id the last counts."""
    builder, text = HouseholdsBuilder(), _texts()
    distinct = {one.id: one for one in households}.values()
    rows = ((h.id, h.code, h.area, text(h.name), h.care, h.away) for h in distinct)
    _in_portions(rows, builder.extend)
    return builder.columns()


def devices_of(devices: Iterable[Device]) -> DeviceColumns:
    """These as columns; of those with one id the last counts."""
    builder, text = DevicesBuilder(), _texts()
    distinct = {one.id: one for one in devices}.values()
    _in_portions((_row(one, text) for one in distinct), builder.extend)
    return builder.columns()


def _row(d: Device, text: Callable[[Mapping[str, Any]], str]) -> tuple[Any, ...]:
    what = (d.community, d.kind, d.area, d.household, d.interval, " ".join(d.metrics))
    return (d.id, d.code, *what, text(d.name), text(d.attributes), d.address, d.gateway)


def _texts() -> Callable[[Mapping[str, Any]], str]:
    """Gives mappings as JSON; of those that often come again it is made once."""
    known: dict[tuple[tuple[str, Any], ...], str] = {}

    def text(mapping: Mapping[str, Any]) -> str:
        key = tuple(mapping.items())
        found = known.get(key)
        if found is None:
            found = orjson.dumps(dict(mapping)).decode()
            if len(known) < _REMEMBERED:
                known[key] = found
        return found

    return text


def _in_portions(rows: Iterable[T], take: Callable[[Sequence[T]], None]) -> None:
    source = iter(rows)
    while portion := list(islice(source, PORTION)):
        take(portion)
