"""What a channel is: it takes one notification, or one downlink, and says what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, TypeVar
from uuid import UUID

from devices.instant import Micros
from devices.reading import Json


@dataclass(frozen=True, slots=True)
class Notification:
    """What is to be told to one member by one channel.

    message: the same at every attempt, so that a receiver knows a repetition · member, member_code:
    whom · body: JSON as `alerts.message.body` makes it, and the alert's `state` now · attempts:
    those already made · opened_at: when the alert was opened, µs since epoch, UTC, on the service's
    clock.
    """

    id: int
    message: UUID
    alert: int
    member: int
    member_code: str
    occasion: str
    body: Mapping[str, Json]
    attempts: int
    opened_at: Micros


@dataclass(frozen=True, slots=True)
class Downlink:
    """What is to be said to one device that was called with.

    message: the same at every attempt · community, device_code: which device · body: JSON as
    `alerts.downlink.body` makes it · keep_s: how long whoever passes it on should keep it for a
    device that sleeps, s, at least 1 · attempts, opened_at: as of a notification.
    """

    id: int
    message: UUID
    alert: int
    community: str
    device_code: str
    body: Mapping[str, Json]
    keep_s: int
    attempts: int
    opened_at: Micros


NOBODY_SUBSCRIBED = "the broker took it; nobody is subscribed"
"""What `Delivered` says where an MQTT 5 broker says so: 3.1.1 does not tell."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The far side has it, and said so. detail: what it answered, if it said more than yes."""

    detail: str = ""


@dataclass(frozen=True, slots=True)
class Retry:
    """Not this time: no connection, no answer in time, too many at once. reason: no secrets."""

    reason: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """The far side refuses this message, and would again. reason: no secrets."""

    reason: str


Result: TypeAlias = Delivered | Retry | Rejected


Sent_contra = TypeVar("Sent_contra", contravariant=True)


class Channel(Protocol[Sent_contra]):
    """A way to members, which sends `Notification`s, or to devices, which sends `Downlink`s.

    Connects by itself when needed, and again when the connection is lost.
    """

    async def send(self, message: Sent_contra, /) -> Result:
        """Try once. Never raises for what the far side or the network does."""
        ...

    async def close(self) -> None:
        """Let go of the connection; idempotent."""
        ...
