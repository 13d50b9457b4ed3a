"""The common message read in bulk: native readings of a known device, with numbers only. Pure.

What is read here is understood exactly as `ingest.decode` understands it message by message; any
message that is not of the plainest form is left to that: other topics and formats, attributes,
impossible times, unknown metrics, values that are not numbers, payloads that are broken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat

import numpy as np
import orjson

from devices.instant import Micros, to_micros
from devices.inventory import Inventory
from devices.metric import BY_NAME
from devices.reading import I32, Batch
from devices.topic import PREFIX, RESERVED, Direction
from ingest.message import RawMessage

_IDS = {name: m.id for name, m in BY_NAME.items()}
_NUMBERS = frozenset((int, float, bool))
_BEGIN = PREFIX.split("/")
_UP = Direction.UP.value
_KEYS = 2
_NOT_PLAIN = (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """Rows (n,) of the messages that were read, in the order of receipt, and which were not.

    message: int32, the message each row came in · device: int32, one per message, 0 where it was
    not read · left: the messages that were not read, in order.
    """

    rows: Batch
    message: I32
    device: I32
    left: Sequence[int]


def read(
    messages: Sequence[RawMessage], inventory: Inventory, earliest: Micros, max_ahead: Micros
) -> Flat:
    """What can be read in bulk. earliest: µs since the Unix epoch, UTC · max_ahead: µs."""
    devices = {topic: _device(topic, inventory) for topic in {m.topic for m in messages}}
    flat = _Columns()
    loads, at = orjson.loads, -1
    for topic, payload, arrival, *_ in messages:
        at += 1
        device = devices[topic]
        if not device:
            flat.left.append(at)
            continue
        try:
            said = loads(payload)
            values = said["values"]
            names = values.keys()
            time = _time(said["ts"]) if len(said) == _KEYS else arrival
        except _NOT_PLAIN:
            flat.left.append(at)
            continue
        if not (len(said) <= _KEYS and values and earliest <= time <= arrival + max_ahead):
            flat.left.append(at)
            continue
        flat.names += names
        flat.values += values.values()
        flat.message.append(at)
        flat.device.append(device)
        flat.time.append(time)
        flat.arrival.append(arrival)
        flat.count.append(len(values))
    return flat.finish(len(messages))


class _Columns:
    """What was read so far: one entry per value, or per message and how many values it has."""

    def __init__(self) -> None:
        self.left: list[int] = []
        self.names: list[str] = []
        self.values: list[float] = []
        self.message: list[int] = []
        self.device: list[int] = []
        self.time: list[Micros] = []
        self.arrival: list[Micros] = []
        self.count: list[int] = []

    def finish(self, messages: int) -> Flat:
        count = np.array(self.count, np.intp)
        message = np.array(self.message, np.int32)
        metric = list(map(_IDS.get, self.names, repeat(0)))
        odd = self._odd(metric)
        value = np.array(self.values, np.float64)
        odd.update(np.flatnonzero(~np.isfinite(value)).tolist())
        device = np.zeros(messages, np.int32)
        device[message] = self.device
        rows = Batch(
            np.repeat(np.array(self.time, np.int64), count),
            np.repeat(np.array(self.arrival, np.int64), count),
            np.repeat(np.array(self.device, np.int32), count),
            np.array(metric, np.int16),
            value,
        )
        owner = np.repeat(message, count)
        if not odd:
            return Flat(rows, owner, device, self.left)
        strange = np.unique(owner[sorted(odd)])
        device[strange] = 0
        keep = ~np.isin(owner, strange)
        left = sorted((*self.left, *strange.tolist()))
        return Flat(rows.take(keep), owner[keep], device, left)

    def _odd(self, metric: Sequence[int]) -> set[int]:
        """The rows whose metric is unknown or whose value is no number; such a value becomes 0."""
        odd: set[int] = set()
        if 0 in metric:
            odd.update(row for row, number in enumerate(metric) if number == 0)
        if not _NUMBERS.issuperset(map(type, self.values)):
            for row, value in enumerate(self.values):
                if type(value) not in _NUMBERS:
                    self.values[row] = 0.0
                    odd.add(row)
        return odd


def _time(ts: int | str) -> Micros:
    """What `ts` says; TypeError, ValueError or OverflowError if it is not plain."""
    if type(ts) is int:
        return ts * 1_000
    return to_micros(datetime.fromisoformat(ts))  # type: ignore[arg-type]


def _device(topic: str, inventory: Inventory) -> int:
    """The id of the device whose `up` topic this is; 0 if it is no such topic."""
    levels = topic.split("/")
    if len(levels) != 5 or levels[:2] != _BEGIN or levels[4] != _UP or levels[3] in RESERVED:
        return 0
    return inventory.find_id(levels[2], levels[3])
