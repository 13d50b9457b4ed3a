"""A site in parts, one per community, so that a city need not be in memory as a whole.

A part is self-contained: its areas reach up to the root, so that parts can share those above their
communities.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from devices.inventory import COMMUNITY, Area, Device, Household, Inventory
from devices.site import (
    AreaEntry,
    DeviceEntry,
    DutyEntry,
    HouseholdEntry,
    MemberEntry,
    Site,
)
from devices.site.model import DeviceKey


@dataclass(frozen=True, slots=True)
class Part:
    """One community's entries; `areas` with those above it, each after the one around it."""

    community: str
    areas: Sequence[AreaEntry]
    households: Sequence[HouseholdEntry]
    devices: Sequence[DeviceEntry]
    members: Sequence[MemberEntry]
    duties: Sequence[DutyEntry]


def parts_of(site: Site, scale: int = 1) -> Iterator[Part]:
    """The site's communities, `scale` times: the first as they are, then with -0002, -0003, …"""
    communities = [area.code for area in site.areas.values() if area.kind == COMMUNITY]
    own = [_part(site, code) for code in communities]
    for number in range(1, scale + 1):
        for part in own:
            yield part if number == 1 else _renamed(part, f"-{number:04d}")


def inventory_of(part: Part | Site) -> Inventory:
    """These entries as an inventory with ids of its own, by order: no database is asked."""
    listed = part if isinstance(part, Part) else _whole(part)
    areas = {code: n for n, code in enumerate(sorted(a.code for a in listed.areas), start=1)}
    homes = {code: n for n, code in enumerate(sorted(h.code for h in listed.households), start=1)}
    devices = sorted(listed.devices, key=lambda d: (d.community, d.code))
    ids = {(d.community, d.code): n for n, d in enumerate(devices, start=1)}
    return Inventory.of(
        (
            Area(areas[a.code], a.code, a.kind, areas[a.parent] if a.parent else None, a.name)
            for a in listed.areas
        ),
        (
            Household(homes[h.code], h.code, areas[h.area], h.name, h.care, h.away)
            for h in listed.households
        ),
        (_device(d, ids, areas, homes) for d in devices),
    )


def _device(
    entry: DeviceEntry,
    ids: Mapping[DeviceKey, int],
    areas: Mapping[str, int],
    homes: Mapping[str, int],
) -> Device:
    return Device(
        id=ids[entry.community, entry.code],
        code=entry.code,
        community=entry.community,
        kind=entry.kind,
        area=areas[entry.area],
        household=homes[entry.household] if entry.household else None,
        interval=entry.interval,
        metrics=entry.metrics,
        name=entry.name,
        attributes=entry.attributes,
        address=entry.address,
        gateway=ids[entry.community, entry.gateway] if entry.gateway else None,
    )


def _whole(site: Site) -> Part:
    areas = tuple(site.areas.values())
    households, devices = tuple(site.households.values()), tuple(site.devices.values())
    return Part("", areas, households, devices, tuple(site.members.values()), site.duties)


def _part(site: Site, community: str) -> Part:
    """A community with the areas above it, and whoever answers for one of these."""
    above = {code for code in site.path(community) if code != community}
    inside = {code for code in site.areas if community in site.path(code)}
    duties = tuple(d for d in site.duties if d.area in inside | above)
    on_duty = {duty.member for duty in duties}
    return Part(
        community,
        tuple(area for code, area in site.areas.items() if code in inside | above),
        tuple(home for home in site.households.values() if home.area in inside),
        tuple(device for device in site.devices.values() if device.area in inside),
        tuple(member for code, member in site.members.items() if code in on_duty),
        duties,
    )


def _renamed(part: Part, suffix: str) -> Part:
    """The same community once more: the areas above it stay, all else gets the suffix."""
    areas = {area.code: area for area in part.areas}
    inside = {code for code in areas if _within(areas, code, part.community)}

    def area(code: str) -> str:
        return f"{code}{suffix}" if code in inside else code

    mine = tuple(duty for duty in part.duties if duty.area in inside)
    return Part(
        part.community + suffix,
        tuple(
            replace(a, code=area(a.code), parent=area(a.parent) if a.parent else None)
            for a in part.areas
        ),
        tuple(replace(h, code=h.code + suffix, area=area(h.area)) for h in part.households),
        tuple(
            replace(
                d,
                community=d.community + suffix,
                area=area(d.area),
                household=d.household + suffix if d.household else None,
            )
            for d in part.devices
        ),
        tuple(
            replace(m, code=m.code + suffix)
            for m in part.members
            if any(duty.member == m.code for duty in mine)
        ),
        tuple(replace(d, member=d.member + suffix, area=area(d.area)) for d in mine),
    )


def _within(areas: Mapping[str, AreaEntry], code: str | None, community: str) -> bool:
    while code is not None:
        if code == community:
            return True
        code = areas[code].parent
    return False
