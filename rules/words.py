"""A batch word by word: what one device says at one time, in one arrival, is a word.

Most of what is asked of a batch is the same for all rows of a word, and rows mostly come word by
word: so there are fewer words than rows to put in order and to compare with what had been heard.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from devices.metric import BY_NAME
from devices.reading import I64, Batch, Bool

HEARTBEAT = BY_NAME["heartbeat"].id
_DIGIT = 16
"""Bits. numpy sorts so short numbers digit by digit, ten times as quickly as longer ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """(w,) each, int64; times in µs, UTC.

    device: ids · time: by the device's clock, but never after the arrival · said: as it was said
    arrival: the server's · offline: the word 'offline', which is a word of its own
    start, count: its rows in the batch.
    """

    device: I64
    time: I64
    said: I64
    arrival: I64
    offline: Bool
    start: I64
    count: I64

    def __len__(self) -> int:
        return len(self.device)

    def take(self, which: I64) -> "Words":
        """These of them, by number."""
        time = self.time.take(which)
        return Words(
            self.device.take(which),
            time,
            time if self.said is self.time else self.said.take(which),
            self.arrival.take(which),
            self.offline.take(which),
            self.start.take(which),
            self.count.take(which),
        )

    def rows(self) -> tuple[I64, I64]:
        """The rows of the batch, word by word, and the number of the word of each: (n,) both."""
        ends: I64 = self.count.cumsum()
        word: I64 = np.arange(len(ends)).repeat(self.count)
        first = self.start - (ends - self.count)
        return first.take(word) + np.arange(len(word)), word


def words_of(batch: Batch, silent_after: I64) -> Words:
    """The words of a batch as they came.

    silent_after: by device id; rows of devices that have no such limit are left out.
    """
    time, device, n = not_ahead(batch), batch.device, len(batch)
    offline = (batch.metric == HEARTBEAT) & (batch.value == 0)
    begins = np.empty(n, np.bool_)
    begins[:1] = True
    begins[1:] = device[1:] != device[:-1]
    columns: list[npt.NDArray[np.integer[Any]]] = [time, batch.arrival]
    if time is not batch.time:
        columns.append(batch.time)
    if np.count_nonzero(offline):
        columns.append(offline.view(np.int8))
    for column in columns:
        begins[1:] |= column[1:] != column[:-1]
    start = begins.nonzero()[0]
    count = np.empty_like(start)
    np.subtract(start[1:], start[:-1], out=count[:-1])
    count[-1:] = n - start[-1:]
    moved = time.take(start)
    words = Words(
        device.take(start).astype(np.int64),
        moved,
        moved if time is batch.time else batch.time.take(start),
        batch.arrival.take(start),
        offline.take(start),
        start,
        count,
    )
    known = _known(words.device, silent_after)
    return words if known is None else words.take(known)


def order_of(words: Words) -> I64 | None:
    """By device and then by time; 'offline' after what else was said then; ties as they came.

    None where they are in order.
    """
    device, order = words.device, None
    if np.count_nonzero(device[1:] < device[:-1]):
        order = _sorted(device)
        device = device.take(order)
    again = (device[1:] == device[:-1]).nonzero()[0]
    if not len(again):
        return order
    before, after = again, again + 1
    if order is not None:
        before, after = order.take(before), order.take(after)
    wrong = again[~_follows(words, before, after)]
    if not len(wrong):
        return order
    order = np.arange(len(device)) if order is None else order
    places = _same_as(device, device.take(wrong))
    order[places] = _by_all(words, order.take(places))
    return order


def _follows(words: Words, before: I64, after: I64) -> Bool:
    """Which pairs of words of one device stand in order."""
    sooner, later = words.time.take(before), words.time.take(after)
    follows: Bool = later > sooner
    if np.count_nonzero(follows) < len(follows):
        off, then_off = words.offline.take(before), words.offline.take(after)
        said = words.said.take(after) >= words.said.take(before)
        follows |= (later == sooner) & ((~off & then_off) | ((off == then_off) & said))
    return follows


def _same_as(ascending: I64, some: I64) -> I64:
    """Where any of some of the numbers stand."""
    start = ascending.searchsorted(some[_changes(some)])
    end = ascending.searchsorted(some[_changes(some)], "right")
    places = [np.arange(*pair) for pair in zip(start.tolist(), end.tolist(), strict=True)]
    return np.concatenate(places)


def _changes(numbers: I64) -> Bool:
    """Where another number stands than before."""
    changes = np.ones(len(numbers), np.bool_)
    changes[1:] = numbers[1:] != numbers[:-1]
    return changes


def _by_all(words: Words, some: I64) -> I64:
    """These words in order."""
    for key in (words.said, words.offline.astype(np.int64), words.time, words.device):
        some = some.take(_sorted(key.take(some)))
    return some


def _sorted(numbers: I64) -> I64:
    """The places (n,) of the numbers in ascending order, ties as they stand."""
    keys = numbers - numbers.min()
    span, order = int(keys.max()), np.arange(len(keys))
    for shift in range(0, span.bit_length(), _DIGIT):
        digit = (keys >> shift).astype(np.uint16)
        order = order.take(digit.take(order).argsort(kind="stable"))
    return order


def _known(device: I64, silent_after: I64) -> I64 | None:
    """The words of known devices, by number; None where all are."""
    if not len(device):
        return None
    if device.min() >= 0 and device.max() < len(silent_after):
        known = silent_after.take(device) > 0
        return None if np.count_nonzero(known) == len(known) else known.nonzero()[0]
    known = (device >= 0) & (device < len(silent_after))
    known[known] = silent_after.take(device[known]) > 0
    return known.nonzero()[0]


def not_ahead(batch: Batch) -> I64:
    """The times of the rows, those of one message moved back alike so that none is in the future.

    Rows of one device and one arrival came in one message.
    """
    if not np.count_nonzero(batch.time > batch.arrival):
        return batch.time
    ahead = batch.time - batch.arrival
    order = np.lexsort((batch.arrival, batch.device))
    device, arrival = batch.device[order], batch.arrival[order]
    begins = np.ones(len(order), np.bool_)
    begins[1:] = (device[1:] != device[:-1]) | (arrival[1:] != arrival[:-1])
    starts = np.flatnonzero(begins)
    farthest = np.maximum(np.maximum.reduceat(ahead[order], starts), 0)
    time = batch.time.copy()
    time[order] -= np.repeat(farthest, np.diff(starts, append=len(order)))
    return time
