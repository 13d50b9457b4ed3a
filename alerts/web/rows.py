"""What the pages read, as values. Instants are aware datetimes; names map 'zh' and 'en'. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alerts.channels.base import NOBODY_SUBSCRIBED
from alerts.model import AlertState
from devices.reading import Json

Names = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MemberRow:
    """A member in service; `site` is the community's name, None before a site is applied."""

    id: int
    code: str
    name: Names
    language: str
    password_hash: str | None
    site: Names | None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert as one member sees it.

    advice: None where its rule must be asked · place: {'kind', 'name'} of each area, the widest
    first.
    """

    id: int
    rule_code: str
    rule_fingerprint: str
    subject_kind: str
    category: str
    severity: str
    title: Names
    advice: Names | None
    since: datetime
    fired_at: datetime
    opened_at: datetime
    state: str
    silent_since: datetime | None
    acknowledged_at: datetime | None
    cleared_at: datetime | None
    closed_at: datetime | None
    ended_at: datetime | None
    outcome: str | None
    note: str | None
    devices: Sequence[int]
    metrics: Sequence[int]
    value: float | None
    route_reason: str
    mine: bool
    unrouted: bool
    household: Names | None
    device: Names | None
    acknowledged_by: Names | None
    closed_by: Names | None
    place: Sequence[Mapping[str, Any]]
    recipients: Sequence[Names]
    unread: bool

    @property
    def standing(self) -> bool:
        """True while it still needs a person."""
        return AlertState(self.state).standing


@dataclass(frozen=True, slots=True)
class ToldRow:
    """One message to one member; the message's columns are None where none was written."""

    name: Names
    code: str
    role: str | None
    reason: str | None
    area: Names | None
    channel: str | None
    occasion: str | None
    state: str | None
    created_at: datetime | None
    attempts: int | None
    delivered_at: datetime | None
    read_at: datetime | None
    last_outcome: str | None
    last_detail: str | None


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One line of an alert's history; `member` None: the service did it.

    device and what follows: the device that was told of it, and how that fared; None elsewhere.
    """

    at: datetime
    kind: str
    reason: str
    detail: Mapping[str, Json]
    member: Names | None
    device: Names | None
    sending: str | None
    attempts: int | None
    delivered_at: datetime | None
    last_detail: str | None

    @property
    def unheard(self) -> bool:
        """True where the broker took it and said that no device listens."""
        return self.sending == "delivered" and self.last_detail == NOBODY_SUBSCRIBED


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """A reading, or an event with its attributes."""

    time: datetime
    device_id: int
    metric_id: int
    value: float
    attributes: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device's name and the longest it stays silent when healthy, µs."""

    id: int
    code: str
    name: Names
    interval_us: int
