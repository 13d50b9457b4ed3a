"""How much a device may send, so that one that runs away does not delay the others. Pure.

Each device has a bucket of tokens, one for a message. It holds a day's worth of messages, one an
interval, and at least `Allowance.burst`: what a gateway kept while it was away for a day passes. It
fills at twenty times that rate, and at least at `Allowance.rate`: many devices say more than one
message an interval. While the service itself is behind, it holds besides what that rate gave in the
time not yet heard: who keeps to the rate is not limited for an outage of ours.

Time is that of the messages' arrival. The state is in memory only: after a restart each bucket is
full. A device whose bucket ran out is known by its topics, so that what it sends too much is
refused before it is decoded; of vendors' formats only after that, for the payload names the device.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from devices.errors import RejectReason
from devices.instant import DAY, HOUR, SECOND, Micros
from devices.inventory import Inventory
from devices.reading import F64, I32, I64, Bool
from devices.topic import status, up
from ingest.decoded import DETAIL, Decoded, Rejection
from ingest.message import RawMessage

Decode = Callable[[Sequence[RawMessage]], Decoded]

TIMES = 20
"""Times its expected rate that a device may keep up; our choice."""

LONGEST: Micros = 30 * DAY
"""An absence of ours counts for no longer."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What each device may send at least, and how much of what it sends too much is kept.

    burst: messages at once; 0: no device is limited · rate: messages a second, kept up · kept:
    messages an hour kept as rejected, of each device; those beyond are only counted.
    """

    burst: int = 3_600
    rate: float = 1.0
    kept: int = 10_000


NO_LIMIT = Allowance(burst=0)


class Shares:
    """What each device of an inventory may send, by its id (0: none has it)."""

    def __init__(self, inventory: Inventory | None, allowance: Allowance) -> None:
        models = inventory.devices.models if inventory else ()
        interval = np.array([np.inf, *(model.interval for model in models)])
        self._rates: F64 = np.maximum(allowance.rate, TIMES * SECOND / interval)
        self._days: F64 = np.maximum(allowance.burst, DAY / interval)
        # Of a million devices few differ in this: the number of each one's share is kept.
        self._which = np.zeros(1, np.min_scalar_type(len(interval)))
        if inventory is not None:
            ids, model = inventory.devices.ids, inventory.devices.model
            self._which = np.zeros(int(ids.max(initial=0)) + 1, self._which.dtype)
            self._which[ids] = model.astype(self._which.dtype) + self._which.dtype.type(1)

    def __len__(self) -> int:
        return len(self._which)

    def rate(self, device: I64) -> F64:
        """Messages a second that each of these may keep up."""
        return self._rates[self._which[device]]

    def day(self, device: I64) -> F64:
        """Messages that each of these may send at once."""
        return self._days[self._which[device]]


@dataclass(frozen=True, slots=True)
class Kept:
    """How many of a device's messages too many were kept in the hour that began then (µs, UTC)."""

    since: Micros
    messages: int


@dataclass(frozen=True, slots=True, eq=False)
class Charge:
    """What a batch does to the buckets, to be settled when it is committed.

    device: int64, each once · tokens: float64, what is left to each · at: as of then, µs, UTC ·
    kept: of those with too many.
    """

    device: I64
    tokens: F64
    at: Micros
    kept: Mapping[int, Kept]


class Limiter:
    """The buckets as of the last committed batch; only `settle` changes them."""

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self._inventory: Inventory | None = None
        self._shares = Shares(None, allowance)
        self._tokens: F64 = np.empty(0)
        self._at: I64 = np.empty(0, np.int64)
        self._kept: dict[int, Kept] = {}
        self._short: dict[str, int] = {}

    @property
    def short(self) -> frozenset[int]:
        """Devices whose bucket ran out and is not full again."""
        return frozenset(self._short.values())

    def adopt(self, inventory: Inventory) -> None:
        """Use the intervals of these devices from now on; the buckets stay as they are."""
        if inventory is self._inventory:
            return
        self._inventory, self._shares = inventory, Shares(inventory, self.allowance)
        short = self.short & inventory.devices.keys()
        self._short = {topic: device for device in short for topic in self._topics(device)}
        missing = len(self._shares) - len(self._tokens)
        if missing > 0:
            self._tokens = np.append(self._tokens, np.full(missing, np.inf))
            self._at = np.append(self._at, np.zeros(missing, np.int64))

    def beyond(self, messages: Sequence[RawMessage], behind: Micros) -> dict[int, int]:
        """Messages that need not be decoded: by index, the device of which there are too many.

        behind: how far the service is behind, µs. Usually no device is short: then nothing is done.
        """
        if not self._short or not messages:
            return {}
        told: dict[int, list[int]] = {}
        for index, message in enumerate(messages):
            device = self._short.get(message.topic)
            if device is not None:
                told.setdefault(device, []).append(index)
        if not told:
            return {}
        at = _newest(messages)
        left = self._available(np.array(list(told), np.int64), at, behind).astype(np.int64)
        return {
            index: device
            for (device, indexes), tokens in zip(told.items(), left.tolist(), strict=True)
            for index in indexes[tokens:]
        }

    def decode(
        self, messages: Sequence[RawMessage], behind: Micros, decode: Decode
    ) -> tuple[Decoded, Charge]:
        """What these messages say, by `decode`, without what is too many; and what it costs.

        behind: how far the service is behind, µs.
        """
        refused = self.beyond(messages, behind)
        wanted = [m for i, m in enumerate(messages) if i not in refused] if refused else messages
        decoded = spread(decode(wanted), messages, refused)
        verdict = self.charge(decoded, refused, behind)
        return limited(decoded, verdict), verdict.charge

    def charge(self, decoded: Decoded, refused: Iterable[int], behind: Micros) -> "Verdict":
        """What this batch costs its devices, and which messages are too many.

        refused: messages that were not decoded for that · behind: how far we are behind, µs.
        """
        at = _newest(decoded.messages)
        counted = decoded.device.astype(np.int64)
        before = np.zeros(len(counted), np.bool_)
        before[list(refused)] = True
        told = counted[~before]
        device, sent = np.unique(told[told > 0], return_counts=True)
        left = self._available(device, at, behind) - sent
        over = before
        for short in device[left < 0].tolist():
            mine = np.flatnonzero((counted == short) & ~before)
            over[mine[len(mine) + int(np.floor(left[np.searchsorted(device, short)])) :]] = True
        kept, counts = self._to_keep(counted, np.flatnonzero(over).tolist(), at)
        return Verdict(
            over, frozenset(kept), Charge(device, np.maximum(left, _part(left)), at, counts)
        )

    def settle(self, charge: Charge) -> list[int]:
        """The batch is committed; which devices send too much since it."""
        self._tokens[charge.device] = charge.tokens
        self._at[charge.device] = np.maximum(self._at[charge.device], charge.at)
        self._kept.update(charge.kept)
        begun = sorted(charge.kept.keys() - self.short)
        for device in charge.kept:
            self._short |= dict.fromkeys(self._topics(device), device)
        full = charge.device[charge.tokens >= self._shares.day(charge.device) / 2]
        for device in self.short & set(full.tolist()):
            self._kept.pop(device, None)
            for topic in self._topics(device):
                self._short.pop(topic, None)
        return begun

    def _available(self, device: I64, at: Micros, behind: Micros) -> F64:
        rate = self._shares.rate(device)
        missed = min(max(behind, 0), LONGEST) / SECOND
        since = np.maximum(at - self._at[device], 0) / SECOND
        return np.minimum(
            self._tokens[device] + rate * since, self._shares.day(device) + rate * missed
        )

    def _to_keep(
        self, device: I64, over: Sequence[int], at: Micros
    ) -> tuple[list[int], dict[int, Kept]]:
        """Which of the messages that are too many to keep, and how many of each device then are."""
        keep, counts = [], dict[int, Kept]()
        for index in over:
            owner = int(device[index])
            kept = counts.get(owner) or self._kept.get(owner) or Kept(at, 0)
            if at - kept.since >= HOUR:
                kept = Kept(at, 0)
            if kept.messages < self.allowance.kept:
                keep.append(index)
                kept = replace(kept, messages=kept.messages + 1)
            counts[owner] = kept
        return keep, counts

    def _topics(self, device: int) -> tuple[str, ...]:
        known = self._inventory.devices.get(device) if self._inventory else None
        if known is None:
            return ()
        return up(known.community, known.code), status(known.community, known.code)


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """Which messages of a batch are too many.

    over: bool, one per message · kept: those of them to be kept as rejected, by index.
    """

    over: Bool
    kept: frozenset[int]
    charge: Charge


def _part(left: F64) -> F64:
    """What stays of less than a token where a bucket ran out."""
    return np.mod(left, 1.0)


def _newest(messages: Sequence[RawMessage]) -> Micros:
    return max(message.arrival for message in messages)


def spread(decoded: Decoded, messages: Sequence[RawMessage], refused: Mapping[int, int]) -> Decoded:
    """What was decoded of the messages that are not refused, as of all of them.

    refused: the device of each message that was not decoded, by index.
    """
    if not refused:
        return decoded
    place = np.array([i for i in range(len(messages)) if i not in refused], np.int32)
    device: I32 = np.zeros(len(messages), np.int32)
    device[place] = decoded.device
    device[list(refused)] = list(refused.values())
    usable = np.zeros(len(messages), np.bool_)
    usable[place] = decoded.usable
    return replace(
        decoded,
        messages=messages,
        device=device,
        usable=usable,
        reading_message=place[decoded.reading_message],
        event_message=place[decoded.event_message],
        rejections=tuple(replace(r, message=int(place[r.message])) for r in decoded.rejections),
        with_memory=tuple(place[list(decoded.with_memory)].tolist()),
    )


def limited(decoded: Decoded, verdict: Verdict) -> Decoded:
    """Without what is too many; what it announced stays announced."""
    over = verdict.over
    if not over.any():
        return decoded
    reading, event = ~over[decoded.reading_message], ~over[decoded.event_message]
    left = [r for r in decoded.rejections if not over[r.message]]
    detail = "the device sends too much; see `gridwarden devices show`"[:DETAIL]
    kept = [Rejection(i, RejectReason.TOO_MANY, detail, partial=False) for i in verdict.kept]
    return replace(
        decoded,
        usable=decoded.usable & ~over,
        readings=decoded.readings.take(reading),
        reading_message=decoded.reading_message[reading],
        events=decoded.events.take(event),
        event_message=decoded.event_message[event],
        attributes=tuple(a for a, own in zip(decoded.attributes, event, strict=True) if own),
        digest=decoded.digest[event],
        rejections=tuple(sorted([*left, *kept], key=lambda r: r.message)),
        too_many=tuple(np.flatnonzero(over).tolist()),
    )
