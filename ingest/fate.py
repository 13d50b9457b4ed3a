"""What became of each message: stored, duplicate or rejected. Pure."""

from dataclasses import dataclass

import numpy as np

from devices.reading import I64, Bool
from ingest.binary_copy import INT4, INT8, TIMESTAMP, Column, to_timestamp
from ingest.decoded import Decoded


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages of one batch, or of all: messages = stored + duplicate + rejected."""

    messages: int
    stored: int
    duplicate: int
    rejected: int


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """What the database said to the rows of a batch: bool, one per row.

    readings, events: True where the row was new · differs: True where a reading of its device,
    metric and time was there with another value; that one stays.
    """

    readings: Bool
    events: Bool
    differs: Bool


@dataclass(frozen=True, slots=True, eq=False)
class Fates:
    """The fate of each message, bool columns (n,): exactly one of the three is true for each."""

    stored: Bool
    duplicate: Bool
    rejected: Bool

    def counts(self) -> Counts:
        """How many messages met which fate."""
        sums = [int(column.sum()) for column in (self.stored, self.duplicate, self.rejected)]
        return Counts(len(self.stored), *sums)


def fates(decoded: Decoded, written: Written) -> Fates:
    """Stored: at least one of the message's rows is new; duplicate: it has rows, none is new."""
    told = np.zeros(len(decoded.messages), np.bool_)
    told[decoded.reading_message[written.readings]] = True
    told[decoded.event_message[written.events]] = True
    return Fates(told, decoded.usable & ~told, ~decoded.usable)


def ledger_columns(decoded: Decoded, fate: Fates) -> list[tuple[str, Column]]:
    """One row per device: id, received, stored, duplicate, rejected, last arrival; for COPY."""
    devices, owner = np.unique(decoded.device, return_inverse=True)
    arrivals = np.array([m.arrival for m in decoded.messages], np.int64)
    heard: I64 = np.full(len(devices), np.iinfo(np.int64).min)
    np.maximum.at(heard, owner, arrivals)
    sums = [
        np.bincount(owner, weights=column, minlength=len(devices)).astype(np.int64)
        for column in (np.ones(len(owner)), fate.stored, fate.duplicate, fate.rejected)
    ]
    return [
        (INT4, devices),
        *((INT8, column) for column in sums),
        (TIMESTAMP, to_timestamp(heard)),
    ]
