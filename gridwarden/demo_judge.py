"""Which planted incidents were found: the demo's ground truth against the alerts it raised."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from devices.instant import MINUTE, Micros
from devices.metric import BY_NAME
from devices.simulator.incidents import Incident

GRACE: Micros = 10 * MINUTE
"""How long after its end an incident may still be told, service time: no rule needs longer."""


class Verdict(StrEnum):
    """What became of a planted incident."""

    FOUND = "found"
    STANDING = "standing"
    MISSED = "missed"
    RUNNING = "running"


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert, as far as it is needed to match it: instants in µs since epoch, UTC."""

    rule: str
    fired_at: Micros
    ended_at: Micros | None
    devices: frozenset[int]
    household: int | None
    metrics: frozenset[int]


def judge(
    incidents: Sequence[Incident], alerts: Iterable[Raised], now: Micros
) -> list[tuple[Incident, Verdict]]:
    """Every incident that has begun, with its verdict.

    STANDING: an alert of an earlier incident at the same place was still open, so that no second
    one was raised. RUNNING: not found yet, and not over yet.
    """
    raised = list(alerts)
    return [(i, _verdict(i, raised, now)) for i in incidents if i.start <= now]


def _verdict(incident: Incident, alerts: Sequence[Raised], now: Micros) -> Verdict:
    about = [a for a in alerts if _same_place(incident, a)]
    last = incident.until + GRACE
    if any(incident.start <= a.fired_at <= last for a in about):
        return Verdict.FOUND
    if any(a.fired_at < incident.start and (a.ended_at or now) > incident.start for a in about):
        return Verdict.STANDING
    return Verdict.RUNNING if now <= last else Verdict.MISSED


def _same_place(incident: Incident, alert: Raised) -> bool:
    if BY_NAME[incident.metric].id not in alert.metrics:
        return False
    at_home = incident.household is not None and incident.household == alert.household
    return at_home or incident.device_id in alert.devices
