"""Whether a message that has waited is still worth sending, to a person or to a device. Pure."""

from enum import StrEnum

from alerts.model import AlertState
from devices.instant import Micros
from rules.model import Severity


class Dropped(StrEnum):
    """Why a message is not sent any more; stored with it and shown."""

    MEMBER_LEFT = "member_left"
    CLOSED = "closed_before"
    WITHDRAWN = "withdrawn_before"
    CLEARED = "cleared_before"
    DEVICE_GONE = "device_gone"
    OVERTAKEN = "overtaken"
    EXPIRED = "expired"


STILL_TOLD = frozenset({Severity.RED, Severity.ORANGE})
"""What was this grave is told though its sensor has cleared it (our choice): an alarm that stopped
by itself still needs somebody to look, and the message says that it is cleared."""


def reason_to_drop(
    state: AlertState, severity: Severity, *, by_person: bool, in_service: bool
) -> Dropped | None:
    """Why a message is not worth sending now, None if it is.

    state: of its alert, closed `by_person` or by the service · in_service: its member still is.
    What a person has closed is done; what was withdrawn is no alert by the rules of today.
    """
    if not in_service:
        return Dropped.MEMBER_LEFT
    if state is AlertState.CLOSED:
        return Dropped.CLOSED if by_person else Dropped.WITHDRAWN
    if state is AlertState.CLEARED and severity not in STILL_TOLD:
        return Dropped.CLEARED
    return None


def reason_not_to_answer(
    *, in_service: bool, overtaken: bool, worth_until: Micros, now: Micros
) -> Dropped | None:
    """Why a downlink is not worth sending now, None if it is.

    in_service: its device still is · overtaken: something newer of the same alert is for the same
    device · worth_until: as `alerts.downlink.worth_until` has it; both instants µs, UTC.
    """
    if not in_service:
        return Dropped.DEVICE_GONE
    if overtaken:
        return Dropped.OVERTAKEN
    return Dropped.EXPIRED if now >= worth_until else None
