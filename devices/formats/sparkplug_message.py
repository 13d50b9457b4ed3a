"""A Sparkplug B payload as plain values. Pure.

The protobuf message of https://sparkplug.eclipse.org/specification, chapter 6, described here field
by field, so that nothing is generated; what is not described is skipped.
Integers travel unsigned: a signed one is the two's complement, of the width of its datatype or,
as some libraries send it, of the whole field. A float is given its shortest decimal text, 21.4 and
not 21.399999618530273.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from devices.formats.fields import bad, short

Value: TypeAlias = "str | int | float | bool | bytes | None"

_F = FieldDescriptorProto
_PACKAGE = "gridwarden.sparkplug"
_Row: TypeAlias = tuple[int, str, "_F.Type.ValueType"]

_VALUES: tuple[_Row, ...] = (
    (0, "int_value", _F.TYPE_UINT32),
    (1, "long_value", _F.TYPE_UINT64),
    (2, "float_value", _F.TYPE_FLOAT),
    (3, "double_value", _F.TYPE_DOUBLE),
    (4, "boolean_value", _F.TYPE_BOOL),
    (5, "string_value", _F.TYPE_STRING),
)
"""The kinds of value, from the first number of theirs on."""

_WIDTHS = {1: 8, 2: 16, 3: 32, 4: 64, 5: 8, 6: 16, 7: 32, 8: 64}
_SIGNED = frozenset({1, 2, 3, 4})
_FIELD_BITS = {"int_value": 32, "long_value": 64}
_CARRIED_IN = {
    **dict.fromkeys(_WIDTHS, ("int_value", "long_value")),
    9: ("float_value",),
    10: ("double_value",),
    11: ("boolean_value",),
    12: ("string_value",),
    14: ("string_value",),
}
"""Datatype to the fields its value may stand in: those that a measurement can have."""

GOOD = 192


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric of a payload; None for what it does not tell.

    time: ms since the Unix epoch, UTC · carrier: the field in which the value stands, '' for none ·
    unit: its engUnit, '' if there is none · quality: 192 is good.
    """

    name: str | None
    alias: int | None
    time: int | None
    datatype: int | None
    historical: bool
    null: bool
    carrier: str
    value: Value
    unit: str
    quality: int | None


@dataclass(frozen=True, slots=True)
class Payload:
    """A whole payload. `time` is ms since the Unix epoch, UTC; `seq` counts the node's messages."""

    time: int | None
    seq: int | None
    metrics: tuple[Metric, ...]


def read(payload: bytes) -> Payload:
    """The payload; FormatError(BAD_PAYLOAD) if it is none."""
    if not payload:
        raise bad("payload is empty, not a Sparkplug B message")
    given = _PAYLOAD()
    try:
        given.ParseFromString(payload)
    except DecodeError:
        raise bad(f"payload of {len(payload)} bytes is not a Sparkplug B message") from None
    return Payload(
        _optional(given, "timestamp"),
        _optional(given, "seq"),
        tuple(_metric(metric) for metric in given.metrics),
    )


def number_of(carrier: str, value: Value, datatype: int | None) -> str | float | bool:
    """The value as its datatype means it; FormatError(BAD_PAYLOAD) where that cannot be told."""
    if datatype is None and carrier in _FIELD_BITS:
        raise bad(f"{carrier} {short(value)} has no datatype, so its sign is not known")
    if datatype is not None and carrier not in _CARRIED_IN.get(datatype, ()):
        raise bad(f"datatype {datatype} in {carrier or 'no value field'} is not a measurement")
    if value is None or isinstance(value, bytes):
        raise bad(f"{carrier or 'no value field'} is not a measurement")
    if datatype in _WIDTHS and isinstance(value, int):
        return _whole(value, _FIELD_BITS[carrier], datatype)
    return float(str(np.float32(value))) if carrier == "float_value" else value


def _whole(value: int, bits: int, datatype: int) -> int:
    width = _WIDTHS[datatype]
    number = value
    if datatype in _SIGNED:
        if number >= 1 << (bits - 1):
            number -= 1 << bits
        if 1 << (width - 1) <= number < 1 << width:
            number -= 1 << width
    low, high = (-(1 << (width - 1)), 1 << (width - 1)) if datatype in _SIGNED else (0, 1 << width)
    if not low <= number < high:
        raise bad(f"{value} does not fit its datatype {datatype}, of {width} bits")
    return number


def _metric(given: Any) -> Metric:
    carrier = given.WhichOneof("value") or ""
    properties = _properties(given)
    unit, quality = properties.get("engUnit"), properties.get("Quality")
    return Metric(
        name=_text(given.name) if given.HasField("name") else None,
        alias=_optional(given, "alias"),
        time=_optional(given, "timestamp"),
        datatype=_optional(given, "datatype") or None,
        historical=bool(given.is_historical),
        null=bool(given.is_null),
        carrier=carrier,
        value=getattr(given, carrier) if carrier else None,
        unit=unit if isinstance(unit, str) else "",
        quality=quality if isinstance(quality, int) else None,
    )


def _properties(given: Any) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for key, value in zip(given.properties.keys, given.properties.values, strict=False):
        carrier = value.WhichOneof("value")
        if carrier and not value.is_null and isinstance(key, str):
            found[key] = getattr(value, carrier)
    return found


def _text(given: object) -> str:
    """Text that is not UTF-8 comes from the library as bytes."""
    if isinstance(given, str):
        return given
    raise bad(f"a metric's name {short(given)} is not UTF-8")


def _optional(given: Any, name: str) -> int | None:
    return int(getattr(given, name)) if given.HasField(name) else None


def _described() -> FileDescriptorProto:
    file = FileDescriptorProto(name="sparkplug.proto", package=_PACKAGE, syntax="proto2")
    payload = file.message_type.add(name="Payload")
    _field(payload, 1, "timestamp", _F.TYPE_UINT64)
    _several(payload, 2, "metrics", "Metric")
    _field(payload, 3, "seq", _F.TYPE_UINT64)
    metric = file.message_type.add(name="Metric")
    _field(metric, 1, "name", _F.TYPE_STRING)
    _field(metric, 2, "alias", _F.TYPE_UINT64)
    _field(metric, 3, "timestamp", _F.TYPE_UINT64)
    _field(metric, 4, "datatype", _F.TYPE_UINT32)
    _field(metric, 5, "is_historical", _F.TYPE_BOOL)
    _field(metric, 6, "is_transient", _F.TYPE_BOOL)
    _field(metric, 7, "is_null", _F.TYPE_BOOL)
    _field(metric, 9, "properties", _F.TYPE_MESSAGE).type_name = f".{_PACKAGE}.PropertySet"
    _choice(metric, 10, (*_VALUES, (6, "bytes_value", _F.TYPE_BYTES)))
    properties = file.message_type.add(name="PropertySet")
    _several(properties, 1, "keys", "")
    _several(properties, 2, "values", "PropertyValue")
    value = file.message_type.add(name="PropertyValue")
    _field(value, 1, "type", _F.TYPE_UINT32)
    _field(value, 2, "is_null", _F.TYPE_BOOL)
    _choice(value, 3, _VALUES)
    return file


def _field(
    message: DescriptorProto, number: int, name: str, kind: "_F.Type.ValueType"
) -> FieldDescriptorProto:
    return message.field.add(name=name, number=number, type=kind, label=_F.LABEL_OPTIONAL)


def _several(message: DescriptorProto, number: int, name: str, of: str) -> None:
    """A repeated field of messages, or of texts where `of` is ''."""
    field = _field(message, number, name, _F.TYPE_MESSAGE if of else _F.TYPE_STRING)
    field.label = _F.LABEL_REPEATED
    if of:
        field.type_name = f".{_PACKAGE}.{of}"


def _choice(message: DescriptorProto, first: int, rows: tuple[_Row, ...]) -> None:
    message.oneof_decl.add(name="value")
    for offset, name, kind in rows:
        _field(message, first + offset, name, kind).oneof_index = 0


def message_class() -> Any:
    """The class of the protobuf message, in a pool of its own."""
    pool = DescriptorPool()
    pool.Add(_described())
    return GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Payload"))


_PAYLOAD: Any = message_class()
