"""Errors of the vocabulary. The text carries the value, the unit and the place."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class RejectReason(StrEnum):
    """Why a message, or one part of it, was kept as rejected instead of being stored."""

    BAD_TOPIC = "bad_topic"
    UNKNOWN_FORMAT = "unknown_format"
    BAD_PAYLOAD = "bad_payload"
    NO_READING = "no_reading"
    UNKNOWN_DEVICE = "unknown_device"
    TOPIC_MISMATCH = "topic_mismatch"
    UNKNOWN_METRIC = "unknown_metric"
    OUT_OF_RANGE = "out_of_range"
    IMPOSSIBLE_TIME = "impossible_time"
    TOO_MANY = "too_many"
    UNSTORABLE = "unstorable"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in a text that a person wrote: where, what, and how to mend it."""

    source: str
    line: int
    what: str
    hint: str = ""

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.source}:{self.line}: {self.what}{hint}"


class DeviceError(Exception):
    """Something in the vocabulary of devices is wrong."""


class FormatError(DeviceError):
    """A payload cannot be read; `reason` is stored with the rejected message."""

    def __init__(self, reason: RejectReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class UnknownDeviceError(FormatError):
    """A message is of a device that is not registered: it may wait to be adopted.

    address: its code on our own topics, what its vendor's format calls it on others.
    """

    def __init__(self, community: str, address: str, detail: str) -> None:
        super().__init__(RejectReason.UNKNOWN_DEVICE, detail)
        self.community = community
        self.address = address


class ImpossibleTimeError(FormatError):
    """A device (its id) says a time that cannot be; time: µs since the Unix epoch, UTC."""

    def __init__(self, device: int, time: int, detail: str) -> None:
        super().__init__(RejectReason.IMPOSSIBLE_TIME, detail)
        self.device = device
        self.time = time


class TextError(DeviceError):
    """What a person wrote is wrong; `problems` are all that was found, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DocumentError(TextError):
    """A YAML text cannot be read as plain data."""


class DurationError(DeviceError, ValueError):
    """A duration is not a number followed by ms, s, m, h, d or w."""
