"""PostgreSQL's binary COPY format from columns and back. Pure.

A row is an int16 count of fields, then each field as an int32 length and its bytes, big-endian; a
timestamptz is int64 microseconds since 2000-01-01T00:00Z. With columns of fixed width a row has a
fixed width too, so a numpy structured array *is* the stream.
"""

import struct
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from devices.reading import I64

Column: TypeAlias = npt.NDArray[Any]

TIMESTAMP, INT8, INT4, INT2, FLOAT8 = ">i8", ">i8", ">i4", ">i2", ">f8"
"""How a field of each type of PostgreSQL is laid out."""

_EPOCH = 946_684_800_000_000
_HEADER = b"PGCOPY\n\xff\r\n\x00" + struct.pack(">ii", 0, 0)
_TRAILER = struct.pack(">h", -1)


def to_timestamp(micros: I64) -> I64:
    """Microseconds since the Unix epoch, UTC, as PostgreSQL counts them."""
    return micros - _EPOCH


def from_timestamp(pg_micros: I64) -> I64:
    """PostgreSQL's timestamptz as microseconds since the Unix epoch, UTC."""
    return pg_micros + _EPOCH


def encode(columns: Sequence[tuple[str, Column]]) -> bytes:
    """The whole stream for columns (layout, values) of one length."""
    return _HEADER + _rows(columns, len(columns)).tobytes() + _TRAILER


def encode_with_json(columns: Sequence[tuple[str, Column]], documents: Sequence[bytes]) -> bytes:
    """The whole stream for columns and, as the last field of each row, a jsonb document."""
    rows = _rows(columns, len(columns) + 1)
    fixed, width = rows.tobytes(), rows.dtype.itemsize
    parts = [_HEADER]
    for row, document in enumerate(documents):
        start = row * width
        # jsonb travels as a version number, 1, and its text
        parts += (
            fixed[start : start + width],
            struct.pack(">ib", len(document) + 1, 1),
            document,
        )
    return b"".join((*parts, _TRAILER))


def decode(stream: bytes, layouts: Sequence[str]) -> list[Column]:
    """The columns of a stream whose fields have these layouts and are never NULL."""
    rows = np.frombuffer(stream[len(_HEADER) : -len(_TRAILER)], _row_type(layouts))
    return [rows[f"value{i}"].astype(np.dtype(layout[1:])) for i, layout in enumerate(layouts)]


def _rows(columns: Sequence[tuple[str, Column]], fields: int) -> npt.NDArray[np.void]:
    row_type = _row_type([layout for layout, _ in columns])
    rows = np.empty(len(columns[0][1]), row_type)
    rows["fields"] = fields
    for i, (layout, values) in enumerate(columns):
        rows[f"length{i}"] = np.dtype(layout).itemsize
        rows[f"value{i}"] = values
    return rows


def _row_type(layouts: Sequence[str]) -> np.dtype[np.void]:
    fields = [("fields", ">i2")]
    for i, layout in enumerate(layouts):
        fields += ((f"length{i}", ">i4"), (f"value{i}", layout))
    return np.dtype(fields)
