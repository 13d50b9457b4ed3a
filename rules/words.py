"""A batch word by word: what one device says at one time, in one arrival, is a word.

Most of what is asked of a batch is the same for all rows of a word, and rows mostly come word by
word: so there are fewer words than rows to put in order and to compare with what had been heard.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from devices.metric import BY_NAME
from devices.reading import I64, Batch, Bool

HEARTBEAT = BY_NAME["heartbeat"].id
_DIGIT = 16
"""Bits. numpy sorts so short numbers digit by digit, ten times as quickly as longer ones."""
_FEW = 512
"""So many numbers are sorted as they are: to take them apart would cost more."""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """(w,) each, int64; times in µs, UTC.

    device: ids · limit: the silence limit of each device, µs · time: by the device's clock, but
    never after the arrival · said: as it was said · arrival: the server's
    offline: the word 'offline', which is a word of its own · leaves: whether any is
    start, count: its rows in the batch.
    """

    device: I64
    limit: I64
    time: I64
    said: I64
    arrival: I64
    offline: Bool
    leaves: bool
    start: I64
    count: I64

    def __len__(self) -> int:
        return len(self.device)

    def take(self, which: I64) -> "Words":
        """These of them, by number."""
        time = self.time.take(which)
        offline = self.offline.take(which)
        return Words(
            self.device.take(which),
            self.limit.take(which),
            time,
            time if self.said is self.time else self.said.take(which),
            self.arrival.take(which),
            offline,
            self.leaves and bool(np.count_nonzero(offline)),
            self.start.take(which),
            self.count.take(which),
        )

    def rows(self) -> tuple[I64, I64]:
        """The rows of the batch, word by word, and the number of the word of each: (n,) both."""
        count = self.count
        ends: I64 = count.cumsum()
        word: I64 = np.arange(len(ends)).repeat(count)
        rows = (self.start - ends + count).repeat(count)
        rows += np.arange(len(rows))
        return rows, word


def words_of(batch: Batch, silent_after: I64) -> Words:
    """The words of a batch, in order: see `order_of`.

    silent_after: by device id; rows of devices that have no such limit are left out.
    """
    time, offline = not_ahead(batch), _offline(batch)
    start = _begins(batch, time, offline)
    count = _lengths(start, len(batch))
    device = batch.device.take(start).astype(np.int64)
    if np.count_nonzero(device[1:] < device[:-1]):
        order = _sorted(device)
        device, start, count = device.take(order), start.take(order), count.take(order)
    limit, known = _limits(device, silent_after)
    if known is not None:
        device, limit, start = device.take(known), limit.take(known), start.take(known)
        count = count.take(known)
    rows = _Rows(batch, time, offline)
    again = (device[1:] == device[:-1]).nonzero()[0]
    if len(again):
        places = _with_next(again, len(device))
        some = rows.words(*(column.take(places) for column in (device, limit, start, count)))
        theirs = _order_of_same(some)
        if theirs is not None:
            start[places], count[places] = some.start.take(theirs), some.count.take(theirs)
    return rows.words(device, limit, start, count)


class _Rows(NamedTuple):
    """A batch, its times as they count, and which rows say 'offline'; None where none does."""

    batch: Batch
    time: I64
    offline: Bool | None

    def words(self, device: I64, limit: I64, start: I64, count: I64) -> Words:
        """The words that begin with these rows."""
        batch, offline = self.batch, self.offline
        time = self.time.take(start)
        return Words(
            device,
            limit,
            time,
            time if self.time is batch.time else batch.time.take(start),
            batch.arrival.take(start),
            np.zeros(len(start), np.bool_) if offline is None else offline.take(start),
            offline is not None,
            start,
            count,
        )


def _with_next(places: I64, n: int) -> I64:
    """These of n places and those after them, each once, in order."""
    flags = np.zeros(n, np.bool_)
    flags[places] = flags[places + 1] = True
    return flags.nonzero()[0]


def _offline(batch: Batch) -> Bool | None:
    """The rows that say 'offline'; None where none does."""
    offline = batch.value == 0
    offline &= batch.metric == HEARTBEAT
    return offline if np.count_nonzero(offline) else None


def _begins(batch: Batch, time: I64, offline: Bool | None) -> I64:
    """The rows with which another word begins than before."""
    device, arrival = batch.device, batch.arrival
    begins = np.empty(len(device), np.bool_)
    begins[:1] = True
    later = begins[1:]
    np.not_equal(device[1:], device[:-1], out=later)
    columns: list[npt.NDArray[np.integer[Any]]] = [time, arrival]
    if time is not batch.time:
        columns.append(batch.time)
    if offline is not None:
        columns.append(offline.view(np.int8))
    for column in columns:
        later |= column[1:] != column[:-1]
    return begins.nonzero()[0]


def _lengths(start: I64, n: int) -> I64:
    """How many rows each word has, up to the next one or the end."""
    count = np.empty_like(start)
    np.subtract(start[1:], start[:-1], out=count[:-1])
    count[-1:] = n - start[-1:]
    return count


def order_of(words: Words) -> I64 | None:
    """By device and then by time; 'offline' after what else was said then; ties as they came.

    None where they are in order.
    """
    device = words.device
    if not np.count_nonzero(device[1:] < device[:-1]):
        return _order_of_same(words)
    order = _sorted(device)
    theirs = _order_of_same(words.take(order))
    return order if theirs is None else order.take(theirs)


def _order_of_same(words: Words) -> I64 | None:
    """As `order_of`, of words that are in the order of their devices."""
    device = words.device
    again = (device[1:] == device[:-1]).nonzero()[0]
    if not len(again):
        return None
    wrong = again[~_follows(words, again, again + 1)]
    if not len(wrong):
        return None
    order = np.arange(len(device))
    places = _same_as(device, device.take(wrong))
    order[places] = _by_all(words, places)
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
    if len(numbers) < _FEW:
        return numbers.argsort(kind="stable")
    keys = numbers - numbers.min()
    order: I64 = keys.astype(np.uint16).argsort(kind="stable")
    for shift in range(_DIGIT, int(keys.max()).bit_length(), _DIGIT):
        digit = (keys >> shift).astype(np.uint16)
        order = order.take(digit.take(order).argsort(kind="stable"))
    return order


def _limits(ascending: I64, silent_after: I64) -> tuple[I64, I64 | None]:
    """Of each of these devices; the numbers of the known ones, None where all are."""
    if not len(ascending) or (ascending[0] >= 0 and ascending[-1] < len(silent_after)):
        limit = silent_after.take(ascending)
    else:
        inside = (ascending >= 0) & (ascending < len(silent_after))
        limit = np.zeros(len(ascending), np.int64)
        limit[inside] = silent_after.take(ascending[inside])
    known = np.count_nonzero(limit) == len(limit)
    return limit, None if known else limit.nonzero()[0]


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
