"""Who is responsible for this, here, now? From dated duties, never from filters. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from alerts.model import DUTY_OFFICER, Duty, Recipient, RouteReason
from devices.instant import Micros


@dataclass(frozen=True, slots=True)
class Route:
    """Who must act, by member id, and why they. No recipients exactly where reason is NOBODY."""

    recipients: tuple[Recipient, ...]
    reason: RouteReason


def route(path: Sequence[int], category: str, duties: Iterable[Duty], now: Micros) -> Route:
    """The members with a duty at the nearest area going up that has one for this, at this instant.

    path: area ids from the place to the root, the deepest first · now: µs since epoch, UTC.
    A member with several such duties there is told once, in the first role by name.
    """
    on_duty = defaultdict(list)
    for duty in duties:
        if duty.covers(category, now):
            on_duty[duty.area].append(duty)
    for level, area in enumerate(path):
        if area in on_duty:
            reason = RouteReason.DUTY_ABOVE if level else RouteReason.DUTY_AT_PLACE
            return Route(_recipients(on_duty[area], reason), reason)
    return Route((), RouteReason.NOBODY)


def officers(duties: Iterable[Duty], now: Micros) -> tuple[int, ...]:
    """The members who are duty officers at this instant, whatever their place and categories."""
    found = {d.member for d in duties if d.role == DUTY_OFFICER and d.in_force(now)}
    return tuple(sorted(found))


def by_area(duties: Iterable[Duty]) -> Mapping[int, Sequence[Duty]]:
    """Duties by the area they are for, so that a route need look only at those on its path."""
    found: defaultdict[int, list[Duty]] = defaultdict(list)
    for duty in duties:
        found[duty.area].append(duty)
    return found


def _recipients(duties: Iterable[Duty], reason: RouteReason) -> tuple[Recipient, ...]:
    first: dict[int, Recipient] = {}
    for duty in sorted(duties, key=lambda d: (d.member, d.role)):
        first.setdefault(duty.member, Recipient(duty.member, duty.role, duty.area, reason))
    return tuple(first.values())
