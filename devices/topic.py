"""The MQTT contract of device makers, version 1: which topic says what.

gw/v1/{community}/{device}/up                      device to service: readings, native JSON
gw/v1/{community}/{device}/status                  device to service: online or offline, retained
gw/v1/{community}/{device}/down                    service to device
gw/v1/{community}/ext/{format}/{original topic…}   gateway to service: a vendor's format unchanged
gw/v1/{community}/cmd/{format}/{original topic…}   service to gateway: a vendor's command unchanged
gw/v1/{community}/alerts/{member}                  service to a grid member's app
gridwarden/doctor/…                                service to itself
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from devices.errors import FormatError, RejectReason

PREFIX = "gw/v1"
OWN = "gridwarden/doctor"
"""Below it the service talks to itself."""

CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a community's, device's or member's code may be: it stands as one level of a topic."""

RESERVED = frozenset({"ext", "cmd", "alerts"})
"""Second levels that are not devices."""


class Direction(StrEnum):
    """What the last level of a device's topic means."""

    UP = "up"
    STATUS = "status"


@dataclass(frozen=True, slots=True)
class UpTopic:
    """Where a message came from. `device` is None where the payload names it, as `format` says."""

    community: str
    device: str | None
    direction: Direction
    format: str
    original: str = ""


def parse(topic: str) -> UpTopic:
    """What a topic that devices publish on says; FormatError(BAD_TOPIC) for any other."""
    parts = topic.split("/")
    if parts[:2] != PREFIX.split("/") or len(parts) < 5:
        raise _bad(topic, f"does not have the form {PREFIX}/{{community}}/{{device}}/up")
    community, rest = parts[2], parts[3:]
    if not CODE.fullmatch(community):
        raise _bad(topic, f"has no valid community code: {community!r}")
    if rest[0] == "ext":
        return UpTopic(community, None, Direction.UP, rest[1], "/".join(rest[2:]))
    if len(rest) != 2 or rest[0] in RESERVED or not CODE.fullmatch(rest[0]):
        raise _bad(topic, f"has no valid device code: {'/'.join(rest[:-1])!r}")
    if rest[1] not in set(Direction):
        raise _bad(topic, f"ends in {rest[1]!r}, not in 'up' or 'status'")
    return UpTopic(community, rest[0], Direction(rest[1]), "native")


def up(community: str, device: str) -> str:
    """Where a device publishes its readings."""
    return f"{PREFIX}/{community}/{device}/up"


def status(community: str, device: str) -> str:
    """Where a device, or for it the broker, says that it is there or gone."""
    return f"{PREFIX}/{community}/{device}/status"


def alerts(community: str, member: str) -> str:
    """Where a grid member's app hears of alerts."""
    return f"{PREFIX}/{community}/alerts/{member}"


def down(community: str, device: str) -> str:
    """Where a device hears what became of its call."""
    return f"{PREFIX}/{community}/{device}/down"


def command(community: str, vendor: str, original: str) -> str:
    """Where a gateway hears what to pass on to its devices on `original`, in a vendor's format."""
    return f"{PREFIX}/{community}/cmd/{vendor}/{original}"


def subscriptions(community: str) -> tuple[str, str, str]:
    """What is subscribed to, at QoS 1, to collect from this community; '+' stands for all."""
    below = f"{PREFIX}/{community}"
    return f"{below}/+/up", f"{below}/+/status", f"{below}/ext/#"


def is_external(subscription: str) -> bool:
    """Whether gateways publish there, in vendors' formats."""
    return subscription.endswith("/ext/#")


SUBSCRIPTIONS = subscriptions("+")
"""What a session that collects from all communities subscribes to, at QoS 1."""

MARK = f"{OWN}/mark"
"""Where `gridwarden reshard` parts what the old sessions had from what the new ones will have."""


def _bad(topic: str, why: str) -> FormatError:
    return FormatError(RejectReason.BAD_TOPIC, f"topic {topic!r} {why}")
