"""A message as it came from the broker, before anybody has understood it."""

from typing import NamedTuple

from devices.instant import Micros


class Ticket(NamedTuple):
    """What the source needs to acknowledge a message: valid only on the connection it came by."""

    packet_id: int
    connection: int
    qos: int


class RawMessage(NamedTuple):
    """One PUBLISH. arrival: the server's clock at receipt, µs since the Unix epoch, UTC.

    repeated: the broker sent it again, and what it said was taken in, or is before it in the queue.
    """

    topic: str
    payload: bytes
    arrival: Micros
    ticket: Ticket
    repeated: bool = False
