"""Alerts, and the people who answer for places: values without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from devices.instant import Micros

CARE = "care"
"""The category of health and care alerts; least is said of them outside the service."""


DUTY_OFFICER = "duty_officer"
"""The role whose holders hear of, see and act on what nobody is responsible for, anywhere."""


class AlertState(StrEnum):
    """Where an alert is in its life. OPEN and ACKNOWLEDGED stand; the others have ended."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"
    CLOSED = "closed"

    @property
    def standing(self) -> bool:
        """True while the alert still needs a person."""
        return self in {AlertState.OPEN, AlertState.ACKNOWLEDGED}


class Outcome(StrEnum):
    """What a person found when closing an alert."""

    HANDLED = "handled"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    HANDED_OVER = "handed_over"


@dataclass(frozen=True, slots=True)
class Member:
    """A person who can be told. language: 'zh' or 'en'."""

    id: int
    code: str
    name: Mapping[str, str]
    language: str


@dataclass(frozen=True, slots=True)
class Duty:
    """Who answers for an area and all below it, in which role, from when to when.

    categories: None answers for all · valid_from ≤ t < valid_to, µs since the Unix epoch, UTC;
    valid_to None: until further notice.
    """

    member: int
    area: int
    role: str
    categories: frozenset[str] | None
    valid_from: Micros
    valid_to: Micros | None

    def covers(self, category: str, now: Micros) -> bool:
        """True if this duty answers for alerts of this category at this instant."""
        return self.in_force(now) and (self.categories is None or category in self.categories)

    def in_force(self, now: Micros) -> bool:
        """True if this duty has begun and not ended at this instant."""
        return self.valid_from <= now and (self.valid_to is None or now < self.valid_to)


class RouteReason(StrEnum):
    """Why these people were told, or that nobody could be."""

    DUTY_AT_PLACE = "duty_at_place"
    DUTY_ABOVE = "duty_above"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Recipient:
    """A member who must act: `role` and `area` are those of the duty that makes them answer."""

    member: int
    role: str
    area: int
    reason: RouteReason


@dataclass(frozen=True, slots=True)
class Roster:
    """All members by id and all duties, as of the last applied site."""

    members: Mapping[int, Member]
    duties: tuple[Duty, ...]
