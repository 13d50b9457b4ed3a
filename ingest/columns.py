"""Whole columns at once: physical ranges, distinct keys, digests. Pure."""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import orjson

from devices.inventory import Inventory
from devices.metric import BY_ID, BY_NAME
from devices.reading import F64, I64, Batch, Bool

_LOW: F64 = np.full(max(BY_ID) + 1, np.nan)
_HIGH: F64 = np.full(max(BY_ID) + 1, np.nan)
_MOMENTARY: Bool = np.zeros(max(BY_ID) + 1, np.bool_)
for _metric in BY_ID.values():
    _LOW[_metric.id], _HIGH[_metric.id] = _metric.low, _metric.high
    _MOMENTARY[_metric.id] = _metric.momentary

_INT64 = 2**63 - 1
_PARKING_FREE = BY_NAME["parking_free"].id


def highest(batch: Batch, inventory: Inventory) -> F64:
    """The greatest possible value of each row (n,); a car park's is its capacity if known."""
    high = _HIGH[batch.metric]
    for row in np.flatnonzero(batch.metric == _PARKING_FREE).tolist():
        attributes = inventory.devices[int(batch.device[row])].attributes
        high[row] = attributes.get("capacity", high[row])
    return high


def possible(batch: Batch, high: F64) -> Bool:
    """True (n,) where the value lies in its metric's physical range; NaN never does."""
    return (batch.value >= _LOW[batch.metric]) & (batch.value <= high)


def momentary(batch: Batch) -> Bool:
    """True (n,) where the row is an event."""
    return _MOMENTARY[batch.metric]


def distinct(batch: Batch, digest: I64 | None = None) -> Bool:
    """True (n,) at the first row of each key: device, metric, time, and digest where given."""
    if digest is None and _surely_distinct(batch):
        return np.ones(len(batch), np.bool_)
    key = (batch.time, batch.metric, batch.device) + (() if digest is None else (digest,))
    order = np.lexsort(key)
    new = np.zeros(len(order), np.bool_)
    new[:1] = True
    for column in key:
        ordered = column[order]
        new[1:] |= ordered[1:] != ordered[:-1]
    first = np.zeros(len(order), np.bool_)
    first[order[new]] = True
    return first


def in_order(batch: Batch) -> I64:
    """The rows (n,) by device, metric and time; of equal ones the first first."""
    key = _single_key(batch)
    if key is None:
        return np.lexsort((batch.time, batch.metric, batch.device))
    return np.argsort(key, kind="stable")


def _surely_distinct(batch: Batch) -> bool:
    """True if no two rows have one device, metric and time; one sort of one number tells."""
    key = _single_key(batch)
    if key is None:
        return False
    key.sort()
    return bool((key[1:] != key[:-1]).all())


def _single_key(batch: Batch) -> I64 | None:
    """Device, metric and time of each row (n,) as one number, in their order.

    None where the times are so far apart that the three do not fit into 63 bits.
    """
    if not len(batch):
        return np.empty(0, np.int64)
    series = batch.device.astype(np.int64) * len(_HIGH) + batch.metric
    begin, span = int(batch.time.min()), int(batch.time.max()) - int(batch.time.min()) + 1
    low, high = int(series.min()), int(series.max())
    if (high - low + 1) * span > _INT64:
        return None
    return (series - low) * span + (batch.time - begin)


def digests(values: F64, attributes: Sequence[bytes]) -> I64:
    """64 bits (n,) that tell apart occurrences of one device, metric and instant."""
    return np.array(
        [_digest(v, a) for v, a in zip(values.tolist(), attributes, strict=True)], np.int64
    )


@lru_cache(maxsize=8_192)
def _digest(value: float, attributes: bytes) -> int:
    text = b'{"attributes":%b,"value":%b}' % (attributes, orjson.dumps(value))
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big", signed=True)
