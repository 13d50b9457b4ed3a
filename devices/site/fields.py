"""A site's entries as the registry keeps them: by column, in terms of codes."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from devices.reading import Json
from devices.site.model import AreaEntry, DeviceEntry, HouseholdEntry, MemberEntry, Site

Fields: TypeAlias = Mapping[str, Json]
"""An entry by column; what refers to another entry holds its code."""


class Section(StrEnum):
    """What kind of entry it is."""

    SITE = "site"
    AREA = "area"
    HOUSEHOLD = "household"
    DEVICE = "device"
    MEMBER = "member"
    DUTY = "duty"
    RULE = "rule"


def wanted_entries(site: Site) -> dict[Section, dict[str, Fields]]:
    """The site's entries by section and code; devices by 'community/code'."""
    return {
        Section.AREA: {code: _area(area) for code, area in site.areas.items()},
        Section.HOUSEHOLD: {code: _household(home) for code, home in site.households.items()},
        Section.DEVICE: {f"{d.community}/{d.code}": _device(d) for d in site.devices.values()},
        Section.MEMBER: {code: _member(member) for code, member in site.members.items()},
    }


def _area(area: AreaEntry) -> Fields:
    return {
        "code": area.code,
        "kind": area.kind,
        "name": dict(area.name),
        "parent": area.parent,
    }


def _household(household: HouseholdEntry) -> Fields:
    return {
        "code": household.code,
        "area": household.area,
        "name": dict(household.name),
        "care": household.care,
        "away": household.away,
    }


def _device(device: DeviceEntry) -> Fields:
    return {
        "community": device.community,
        "code": device.code,
        "kind": device.kind,
        "area": device.area,
        "household": device.household,
        "interval_us": device.interval,
        "metrics": list(device.metrics),
        "name": dict(device.name),
        "attributes": dict(device.attributes),
        "address": device.address,
        "gateway": device.gateway,
    }


def _member(member: MemberEntry) -> Fields:
    return {
        "code": member.code,
        "name": dict(member.name),
        "phone": member.phone,
        "language": member.language,
    }
