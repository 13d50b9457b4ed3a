"""Which messages are in our hands unacknowledged, and when each arrived. No I/O, no clock.

After a reconnect the broker sends again what it holds for unacknowledged: what we never settled,
and what we did but whose acknowledgement was lost, in this process or in one that has died. Such a
message keeps its first arrival, so that a reading without a time of its own is recognised as the
one already stored.

A packet id names the same message only until the broker uses it again. Brokers count ids up, so
none of the last `REMEMBERED` settled messages can have given its id to another one yet.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from devices.instant import SECOND, Micros
from ingest.message import RawMessage, Ticket

REMEMBERED = 40_000
"""Settled messages of which the arrival is kept. With the receive window (at most 20 000 unless set
otherwise) it must stay below the 65 535 packet ids that there are."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A message that a process before us stored. digest: of topic and payload (`fingerprint`)."""

    digest: bytes
    arrival: Micros


def fingerprint(topic: str, payload: bytes) -> bytes:
    """16 bytes that tell messages apart."""
    return hashlib.blake2b(topic.encode() + b"\0" + payload, digest_size=16).digest()


class Published(NamedTuple):
    """A PUBLISH as it came. redelivered: the broker says that it may have sent it before."""

    topic: str
    payload: bytes
    packet_id: int
    qos: int
    redelivered: bool


class Receipts:
    """The messages of the current connection, and those that earlier ones left unacknowledged."""

    def __init__(self, stored: Mapping[int, Earlier] = MappingProxyType({})) -> None:
        """stored: by packet id, what an earlier process stored and may not have acknowledged."""
        self.connection = 0
        self._stored = dict(stored)
        self._open: dict[int, RawMessage] = {}
        self._before: dict[int, RawMessage] = {}
        # Of each settled message: its number, arrival and mark. Tens of thousands: not the message.
        self._settled: dict[int, tuple[int, Micros, int]] = {}
        self._settlements = 0
        # What an earlier process dated may be ahead of the clock: see `_next_arrival`.
        self._last: Micros = max((earlier.arrival for earlier in stored.values()), default=0)

    def reconnect(self) -> None:
        """A new connection begins: no earlier message can be acknowledged on it."""
        self.connection += 1
        self._before |= self._open
        self._open = {}

    def receive(self, published: Published, now: Micros) -> RawMessage:
        """The message, dated by its arrival at `now` or, if it came before, by its first one."""
        before = self._first_arrival(published)
        message = RawMessage(
            published.topic,
            published.payload,
            before or self._next_arrival(now),
            Ticket(published.packet_id, self.connection, published.qos),
            repeated=before is not None,
        )
        if published.qos:
            self._open[published.packet_id] = message
        return message

    def receive_all(self, published: Sequence[Published], now: Micros) -> list[RawMessage]:
        """Each of these as `receive` gives it, read together at `now`."""
        odd = any(p.redelivered or p.qos != 1 for p in published)
        if odd or self._before or self._stored or not published:
            return [self.receive(p, now) for p in published]
        messages = []
        connection, opened, settled = self.connection, self._open, self._settled
        arrival = self._next_arrival(now) - 1
        for topic, payload, packet_id, qos, _ in published:
            arrival += 1
            settled.pop(packet_id, None)
            message = RawMessage(topic, payload, arrival, Ticket(packet_id, connection, qos))
            opened[packet_id] = message
            messages.append(message)
        self._last = arrival
        return messages

    def settle(self, messages: Sequence[RawMessage]) -> list[tuple[int, int]]:
        """(packet id, QoS) of those of these that the current connection can acknowledge.

        A packet id stands for the last message that came with it, and only that one settles it: an
        earlier copy of a message must not acknowledge what has taken its number since.
        """
        settled = []
        number, opened, known = self._settlements, self._open, self._settled
        for message in messages:
            packet_id, _, qos = message.ticket
            if qos:
                number += 1
                mark = hash((message.topic, message.payload))
                known[packet_id] = (number, message.arrival, mark)
            if opened.get(packet_id) is message:
                del opened[packet_id]
                settled.append((packet_id, qos))
        self._settlements = number
        return settled

    def _first_arrival(self, published: Published) -> Micros | None:
        """When this very message came first; None if it is new. What had its id is forgotten."""
        open_before = self._before.pop(published.packet_id, None)
        settled = self._settled.pop(published.packet_id, None)
        stored = self._stored.pop(published.packet_id, None)
        if not published.redelivered:
            return None
        if open_before is not None and _same(open_before, published):
            return open_before.arrival
        if settled is not None:
            number, arrival, mark = settled
            lately = self._settlements - number < REMEMBERED
            if lately and mark == hash((published.topic, published.payload)):
                return arrival
        digest = fingerprint(published.topic, published.payload) if stored else b""
        return stored.arrival if stored and stored.digest == digest else None

    def _next_arrival(self, now: Micros) -> Micros:
        # Two messages of one device at one microsecond would pass for one reading.
        ahead = 0 <= self._last - now < SECOND
        self._last = self._last + 1 if ahead else now
        return self._last


def _same(earlier: RawMessage, published: Published) -> bool:
    return (earlier.topic, earlier.payload) == (published.topic, published.payload)
