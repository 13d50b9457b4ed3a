"""What is said back to a device that a person called with. Pure.

A device is told whenever its call leaves 'open': acknowledged, cleared or closed, by whomever. That
it is over is told also where nobody had acknowledged it: a button may show its call as pending from
the press on, and would go on for ever. Pressed again while somebody has it, it is told at once that
help is coming, for no other acknowledgement will come. When an alert is handed on, nothing is said
until the next one takes it: a light that goes out because shifts change would frighten.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from alerts.fold import Folded
from alerts.model import AlertState
from devices.calling import calls
from devices.instant import DAY, Micros, to_datetime
from devices.kind import SILENT_AFTER_INTERVALS
from devices.reading import Json
from rules.transition import Cause

ANSWERED = "answered"
"""The kind of the history line that says what a device is told."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A device in service whose readings caused an alert.

    reports, about: metrics of the device and of the alert · cause: why the alert was opened ·
    last_at: of what it was last told of this alert, µs since epoch, UTC; None: nothing yet.
    """

    alert: int
    device: int
    reports: Collection[str]
    about: Collection[str]
    cause: str
    last_at: Micros | None


def to_tell(folded: Folded) -> dict[int, AlertState]:
    """The alerts whose devices have news in these effects, and the state to be told."""
    again = {e.alert for e in folded.effects if e.again}
    return {
        alert: condition.state
        for alert, condition in folded.conditions.items()
        if not condition.state.standing
        or (condition.state is AlertState.ACKNOWLEDGED and alert in again)
    }


def downlinks(
    callers: Iterable[Caller], states: Mapping[int, AlertState], now: Micros
) -> list[dict[str, Any]]:
    """Rows that tell each of these devices that was called with the state of its alert.

    `at` is `now` (µs since epoch, UTC), or just after what the device was told before: the device
    goes by it, also where the service's clock was set back. A rule that fired because nothing was
    heard is no call, whatever it watches.
    """
    return [
        {
            "alert_id": caller.alert,
            "device_id": caller.device,
            "kind": ANSWERED,
            "told": states[caller.alert].value,
            "at": to_datetime(now if caller.last_at is None else max(now, caller.last_at + 1)),
            "now": to_datetime(now),
        }
        for caller in callers
        if caller.cause != Cause.NOTHING_HEARD and calls(caller.reports, caller.about)
    ]


def body(message: UUID, alert: int, state: AlertState, at: Micros) -> dict[str, Json]:
    """The JSON that a device is sent: whoever reads along learns no name and no home."""
    text = to_datetime(at).isoformat().replace("+00:00", "Z")
    return {"message_id": str(message), "alert": alert, "state": state.value, "at": text}


def worth_until(at: Micros, interval: Micros) -> Micros:
    """Until when something told `at` is worth sending; both and the result in µs, UTC.

    A day, or as long as a device that is heard every `interval` may sleep before it counts as
    silent: whoever puts a wristband on in the morning must not find last night's light still on.
    Longer is no use: what it showed is over by then, or it is broken. (The day is our choice.)
    """
    return at + max(DAY, SILENT_AFTER_INTERVALS * interval)
