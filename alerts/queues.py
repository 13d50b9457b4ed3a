"""What the outbox carries: rows of two kinds, for members and for devices, each with its SQL."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from alerts.channels.base import Downlink, Notification
from alerts.downlink import body, worth_until
from alerts.model import AlertState
from alerts.relevance import Dropped, reason_not_to_answer, reason_to_drop
from devices.instant import SECOND, Micros, to_micros
from rules.model import Severity

Message = TypeVar("Message", bound=Notification | Downlink)

Row: TypeAlias = Mapping[str, Any]

LONGEST_KEPT_S = 2**32 - 1
"""What an MQTT 5 broker can be told at most (Message Expiry Interval, 3.3.2.3.3)."""


@dataclass(frozen=True, slots=True)
class Queue(Generic[Message]):
    """One kind of rows. word: what the log calls one · claim, settle, write_attempt: statements ·
    read: a claimed row and the present instant (µs, UTC) to the message, and why not to send it.
    """

    word: str
    claim: str
    settle: str
    write_attempt: str
    read: Callable[[Row, Micros], tuple[Message, Dropped | None]]


def _notification(row: Row, now: Micros) -> tuple[Notification, Dropped | None]:  # noqa: ARG001
    dropped = reason_to_drop(
        AlertState(row["alert_state"]),
        Severity(row["severity"]),
        by_person=row["by_person"],
        in_service=row["in_service"],
    )
    notification = Notification(
        id=row["id"],
        message=row["message_id"],
        alert=row["alert_id"],
        member=row["member_id"],
        member_code=row["member_code"],
        occasion=row["occasion"],
        body={**row["body"], "state": row["alert_state"]},
        attempts=row["attempts"],
        opened_at=to_micros(row["opened_at"]),
    )
    return notification, dropped


def _downlink(row: Row, now: Micros) -> tuple[Downlink, Dropped | None]:
    at = to_micros(row["at"])
    until = worth_until(at, row["interval_us"])
    dropped = reason_not_to_answer(
        in_service=row["in_service"], overtaken=row["overtaken"], worth_until=until, now=now
    )
    downlink = Downlink(
        id=row["id"],
        message=row["message_id"],
        alert=row["alert_id"],
        community=row["community"],
        device_code=row["device_code"],
        body=body(row["message_id"], row["alert_id"], AlertState(row["told"]), at),
        keep_s=min(max((until - now) // SECOND, 1), LONGEST_KEPT_S),
        attempts=row["attempts"],
        opened_at=to_micros(row["opened_at"]),
    )
    return downlink, dropped


NOTIFICATIONS: Queue[Notification] = Queue(
    "notification", "claim", "settle", "write_attempt", _notification
)
DOWNLINKS: Queue[Downlink] = Queue(
    "downlink", "claim_downlink", "settle_downlink", "write_downlink_attempt", _downlink
)
