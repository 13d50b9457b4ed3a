"""Whether a device lives, from what it said last. Pure.

A device that said 'offline' (its last will, or its gateway's word) is offline until it is heard
again. One that says nothing for three of its intervals is silent: what it last said is unknown.
"""

from dataclasses import dataclass
from enum import StrEnum

from devices.instant import Micros

LOW_BATTERY = 20.0
"""% at or below which a battery is low, where the device does not say so itself; our choice."""


class Liveness(StrEnum):
    """What is known of a device now."""

    ONLINE = "online"
    LOW_BATTERY = "low battery"
    SILENT = "silent"
    OFFLINE = "offline"
    NEVER_HEARD = "never heard"


@dataclass(frozen=True, slots=True)
class LastSaid:
    """What a device said last; None where it never did.

    heard: time of its newest reading, µs since the Unix epoch, UTC · left: time of its newest
    heartbeat of 0 if no heartbeat of 1 came later · battery: % · battery_low: its own word.
    """

    heard: Micros | None = None
    left: Micros | None = None
    battery: float | None = None
    battery_low: float | None = None


def liveness(said: LastSaid, silent_after: Micros, now: Micros) -> Liveness:
    """Whether a device lives at `now` (µs, UTC); silent_after: its silence limit, µs."""
    if said.heard is None:
        return Liveness.NEVER_HEARD
    if said.left is not None and said.left >= said.heard:
        return Liveness.OFFLINE
    if now - said.heard > silent_after:
        return Liveness.SILENT
    low = said.battery_low == 1.0 or (said.battery is not None and said.battery <= LOW_BATTERY)
    return Liveness.LOW_BATTERY if low else Liveness.ONLINE
