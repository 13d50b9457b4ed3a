"""What a channel is: it takes one notification and says what came of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias
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


class Channel(Protocol):
    """A way to a member. Connects by itself when needed, and again when the connection is lost."""

    async def send(self, notification: Notification) -> Result:
        """Try once. Never raises for what the far side or the network does."""
        ...

    async def close(self) -> None:
        """Let go of the connection; idempotent."""
        ...
