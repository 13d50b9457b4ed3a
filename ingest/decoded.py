"""What decoding a batch of messages gives: rows as columns, and what was refused and why. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from devices.errors import RejectReason
from devices.formats.memory import Changes, Key
from devices.instant import DAY, FOREVER, Micros
from devices.reading import I32, I64, Batch, Bool
from ingest.message import RawMessage

DETAIL = 1_000
"""Characters of explanation kept with a rejected message."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a message, or (partial) one part of it, is not stored. message: its index.

    community, unknown: where it was of devices that are not registered, which · impossible: devices
    that said an impossible time, and the time, µs since the Unix epoch, UTC.
    """

    message: int
    reason: RejectReason
    detail: str
    partial: bool
    community: str | None = None
    unknown: tuple[str, ...] = ()
    impossible: tuple[tuple[int, Micros], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """Messages understood, as columns.

    device: int32, one per message, 0 where none could be told · usable: bool, one per message, True
    where it said at least one storable thing · readings, events: rows of distinct keys, in the
    order of receipt, events with the token of whom they name · reading_message, event_message:
    int32, the message each row came in · attributes: canonical JSON, one per event · digest: int64,
    one per event, over its value and attributes · rejections: at most one per message · changes:
    what was announced, to be kept with the batch · commands: what it asks of devices, by community,
    format and the format's topic · with_memory: the messages that were understood by what was
    announced, or announced something · contradicting: rows left out because an earlier one of their
    key had another value · too_many: messages beyond what their device may send; not all of them
    are kept as rejections · heard: up to when all that the broker accepted was known before these
    came, µs since the Unix epoch, UTC.
    """

    messages: Sequence[RawMessage]
    device: I32
    usable: Bool
    readings: Batch
    reading_message: I32
    events: Batch
    event_message: I32
    attributes: tuple[bytes, ...]
    digest: I64
    rejections: tuple[Rejection, ...]
    changes: Changes = field(default_factory=dict)
    commands: Mapping[Key, bytes] = field(default_factory=dict)
    with_memory: tuple[int, ...] = ()
    contradicting: Batch = field(default_factory=Batch.empty)
    too_many: tuple[int, ...] = ()
    heard: Micros = FOREVER

    def days(self) -> int:
        """How many different days, UTC, its readings are of."""
        return len(np.unique(self.readings.time // DAY))

    def repeated(self) -> Bool:
        """True (n,) at the messages that came before."""
        return np.array([message.repeated for message in self.messages], np.bool_)

    def known_by_arrival(self) -> list[RawMessage]:
        """The messages that must be known if they come again.

        Those with a row that was dated by its arrival, for want of a time of its own, and those
        with a memory, which would be understood otherwise the second time.
        """
        rows = (
            self.reading_message[self.readings.time == self.readings.arrival],
            self.event_message[self.events.time == self.events.arrival],
            np.array(self.with_memory, np.int32),
        )
        return [self.messages[i] for i in np.unique(np.concatenate(rows)).tolist()]


def refused(message: RawMessage, device: int, reason: RejectReason, detail: str) -> Decoded:
    """One message kept as rejected as a whole, for a reason found after it was decoded."""
    return Decoded(
        messages=(message,),
        device=np.array([device], np.int32),
        usable=np.array([False]),
        readings=Batch.empty(),
        reading_message=np.empty(0, np.int32),
        events=Batch.empty(),
        event_message=np.empty(0, np.int32),
        attributes=(),
        digest=np.empty(0, np.int64),
        rejections=(Rejection(0, reason, detail[:DETAIL], partial=False),),
    )
