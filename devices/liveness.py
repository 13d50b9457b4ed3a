"""Whether a device lives, from what it said last. Pure.

A device that said 'offline' (its last will, or its gateway's word) is offline until it is heard
again. One that says nothing for three of its intervals is silent: what it last said is unknown.
A device whose gateway is offline or silent, and that was not heard since the gateway went, is
unknown: that nothing comes says nothing of it.
"""

from dataclasses import dataclass
from enum import StrEnum

from devices.instant import NEVER, Micros

LOW_BATTERY = 20.0
"""% at or below which a battery is low, where the device does not say so itself; our choice."""


class Liveness(StrEnum):
    """What is known of a device now."""

    ONLINE = "online"
    LOW_BATTERY = "low battery"
    SILENT = "silent"
    OFFLINE = "offline"
    UNKNOWN = "unknown"
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


def gone_since(said: LastSaid, silent_after: Micros, now: Micros) -> Micros | None:
    """Since when a gateway is gone at `now` (µs, UTC): offline or silent; None where it is not.

    One that was never heard is gone since ever: nothing can have come through it.
    """
    state = liveness(said, silent_after, now)
    if state is Liveness.NEVER_HEARD or said.heard is None:
        return NEVER
    if state is Liveness.OFFLINE:
        return said.left
    return said.heard + silent_after if state is Liveness.SILENT else None


def liveness(
    said: LastSaid, silent_after: Micros, now: Micros, *, gateway_gone: Micros | None = None
) -> Liveness:
    """Whether a device lives at `now` (µs, UTC); silent_after: its silence limit, µs.

    gateway_gone: since when its gateway is gone, µs; None where it is there, or there is none.
    """
    if gateway_gone is not None and (said.heard is None or said.heard <= gateway_gone):
        return Liveness.UNKNOWN
    if said.heard is None:
        return Liveness.NEVER_HEARD
    if said.left is not None and said.left >= said.heard:
        return Liveness.OFFLINE
    if now - said.heard > silent_after:
        return Liveness.SILENT
    low = said.battery_low == 1.0 or (said.battery is not None and said.battery <= LOW_BATTERY)
    return Liveness.LOW_BATTERY if low else Liveness.ONLINE
