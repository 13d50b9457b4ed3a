"""From entries to a site: everything that several entries together can be wrong about."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from devices.errors import Problem
from devices.inventory import COMMUNITY, same_address
from devices.kind import BY_NAME, GATEWAY
from devices.site.entries import REFERENCES, Entries, Placed, Reference, given_twice
from devices.site.forms import AreaForm, DeviceForm, DutyForm, HouseholdForm, MemberForm
from devices.site.model import (
    AreaEntry,
    DeviceEntry,
    DeviceKey,
    HouseholdEntry,
    MemberEntry,
    ascend,
)
from devices.suggest import did_you_mean

_GUESSED = 200
"""So many unknown codes get the hint that takes long to find."""


@dataclass(frozen=True, slots=True)
class Written:
    """The well-formed entries of all sections."""

    areas: Entries[AreaForm]
    households: Entries[HouseholdForm]
    devices: Entries[DeviceForm]
    members: Entries[MemberForm]
    duties: Entries[DutyForm]


def check_references(written: Written, suffix: str = ".yaml") -> list[Problem]:
    """Every code that is named and that no entry has.

    suffix: what makes a file's name of a section's.
    """
    sections: Mapping[str, Entries[Any]] = {
        "areas": written.areas,
        "households": written.households,
        "devices": written.devices,
        "members": written.members,
        "duties": written.duties,
    }
    unknown = (
        (reference, REFERENCES[reference.key], target.codes)
        for section in sections.values()
        for reference in section.references
        if (target := sections[REFERENCES[reference.key]]).sound
        and reference.code not in target.codes
    )
    return [_unknown(*each, suffix, near=n < _GUESSED) for n, each in enumerate(unknown)]


def _unknown(
    reference: Reference, section: str, known: Collection[str], suffix: str, *, near: bool
) -> Problem:
    what = f"{reference.key!r} names {reference.code!r}, which is not in {section}"
    guess = did_you_mean(reference.code, known) if near else ""
    return Problem(*reference.origin, what, guess or f"add it to {section}{suffix}")


def link_areas(entries: Entries[AreaForm], problems: list[Problem]) -> dict[str, AreaEntry]:
    """The areas by code; circles and a missing community are told."""
    forms = ((p.form, p.origin) for p in entries.placed)
    found = [AreaEntry(f.code, f.kind, f.parent, f.name, origin) for f, origin in forms]
    areas = {area.code: area for area in found}
    circles = {_circle(areas, code) for code in areas} - {frozenset()}
    problems += [_circle_problem(areas, circle) for circle in circles]
    if entries.sound and entries.whole and not any(a.kind == COMMUNITY for a in areas.values()):
        hint = f"give one area 'kind: {COMMUNITY}'; its code stands in the topics of its devices"
        problems.append(Problem("areas.yaml", 1, "no area is a community", hint))
    return areas


def _circle(areas: Mapping[str, AreaEntry], code: str) -> frozenset[str]:
    above = list(ascend(areas, code))
    return frozenset(a.code for a in above if above[-1].parent == code)


def _circle_problem(areas: Mapping[str, AreaEntry], circle: frozenset[str]) -> Problem:
    first = min((areas[code] for code in circle), key=lambda area: area.origin)
    around = " → ".join([*(a.code for a in ascend(areas, first.code)), first.code])
    what = f"area {first.code!r} lies within itself: {around}"
    return Problem(*first.origin, what, "correct the parent of one of them")


def link_households(entries: Entries[HouseholdForm]) -> dict[str, HouseholdEntry]:
    """The households by code."""
    return {placed.form.code: _household(placed) for placed in entries.placed}


def _household(placed: Placed[HouseholdForm]) -> HouseholdEntry:
    form = placed.form
    name = form.name or {"zh": form.code, "en": form.code}
    return HouseholdEntry(form.code, form.area, name, form.care, form.away, placed.origin)


def link_members(entries: Entries[MemberForm]) -> dict[str, MemberEntry]:
    """The members by code."""
    forms = ((p.form, p.origin) for p in entries.placed)
    return {f.code: MemberEntry(f.code, f.name, f.phone, f.language, o) for f, o in forms}


_NAMES: Mapping[str, Mapping[str, str]] = {
    kind.name: {"zh": kind.zh, "en": kind.en[:1].upper() + kind.en[1:]} for kind in BY_NAME.values()
}
"""What a device without a name is called; one for all of a kind, since a city has millions."""


def link_devices(
    entries: Entries[DeviceForm],
    areas: Mapping[str, AreaEntry],
    households: Mapping[str, HouseholdEntry],
    problems: list[Problem],
) -> dict[DeviceKey, DeviceEntry]:
    """The devices by community and code; each must be in one place, within one community."""
    found = []
    around: dict[str, tuple[AreaEntry, ...]] = {}
    for placed in entries.placed:
        place = _place(placed, areas, households, problems)
        if place is None:
            continue
        above = around.get(place.code)
        if above is None:
            above = around[place.code] = tuple(ascend(areas, place.code))
        community = _community(placed, above, problems)
        if community is not None:
            found.append((placed, _device(placed, community, place.code)))
    devices = _unique((device for _, device in found), problems)
    for placed, device in found:
        if device.gateway is not None:
            problems += _gateway_problems(placed, device, entries, devices)
    return devices


def _gateway_problems(
    placed: Placed[DeviceForm],
    device: DeviceEntry,
    entries: Entries[DeviceForm],
    devices: Mapping[DeviceKey, DeviceEntry],
) -> Iterable[Problem]:
    """What is wrong with the gateway that it names; that it is unknown is told elsewhere."""
    code = str(device.gateway)
    gateway = devices.get((device.community, code))
    if device.kind == GATEWAY:
        hint = "leave it out: gateways are not behind each other"
        yield placed.problem("gateway", f"gateway {device.code!r} is behind {code!r}", hint)
    elif gateway is None and entries.whole and code in entries.codes:
        what = f"'gateway' names {code!r}, which is not in community {device.community!r}"
        yield placed.problem("gateway", what, "name a gateway of the device's own community")
    elif gateway is not None and gateway.kind != GATEWAY:
        what = f"'gateway' names {code!r}, whose kind is {gateway.kind!r}"
        yield placed.problem("gateway", what, f"name a device of 'kind: {GATEWAY}'")


def _place(
    placed: Placed[DeviceForm],
    areas: Mapping[str, AreaEntry],
    households: Mapping[str, HouseholdEntry],
    problems: list[Problem],
) -> AreaEntry | None:
    """The area of the device; None where it is not known, which has been told."""
    area, household = placed.form.area, placed.form.household
    if area is not None and household is not None:
        hint = "leave out 'area': it is the household's"
        problems.append(placed.problem("area", "both 'area' and 'household' are given", hint))
    elif area is None and household is None:
        hint = "say where the device is, e.g. 'area: grid-1' or 'household: b1-101'"
        problems.append(placed.problem("code", "neither 'area' nor 'household' is given", hint))
    home = households.get(household or "")
    return areas.get(home.area if home else area or "")


def _community(
    placed: Placed[DeviceForm], above: tuple[AreaEntry, ...], problems: list[Problem]
) -> str | None:
    """The code of the one community around; None where that is not so, which is told."""
    communities = [area.code for area in above if area.kind == COMMUNITY]
    if len(communities) == 1:
        return communities[0]
    key = "area" if placed.form.household is None else "household"
    if len(communities) > 1:
        what = f"the device lies in more than one community: {', '.join(communities)}"
        hint = "a community must not lie in another one"
        problems.append(placed.problem(key, what, hint))
    elif above[-1].parent is None:
        what = f"area {above[0].code!r} lies in no community"
        hint = f"put it below an area of 'kind: {COMMUNITY}'"
        problems.append(placed.problem(key, what, hint))
    return None


def _device(placed: Placed[DeviceForm], community: str, area: str) -> DeviceEntry:
    form, kind = placed.form, BY_NAME[placed.form.kind]
    return DeviceEntry(
        code=form.code,
        community=community,
        kind=form.kind,
        area=area,
        household=form.household,
        interval=kind.interval if form.interval is None else form.interval,
        metrics=kind.metrics if form.metrics is None else tuple(dict.fromkeys(form.metrics)),
        name=form.name or _NAMES[kind.name],
        attributes=form.attributes,
        address=form.address,
        gateway=form.gateway,
        origin=placed.origin,
    )


def _unique(
    devices: Iterable[DeviceEntry], problems: list[Problem]
) -> dict[DeviceKey, DeviceEntry]:
    found: dict[DeviceKey, DeviceEntry] = {}
    for device in devices:
        first = found.setdefault((device.community, device.code), device)
        if first is not device:
            problems.append(given_twice(device.code, first.origin, device.origin))
    problems += _shared_addresses(found.values())
    return found


def _shared_addresses(devices: Iterable[DeviceEntry]) -> Iterable[Problem]:
    first: dict[tuple[str, str], DeviceEntry] = {}
    for device in devices:
        if device.address is None:
            continue
        other = first.setdefault((device.community, same_address(device.address)), device)
        if other is not device:
            what = f"address {device.address!r} is given twice"
            hint = f"device {other.code!r} has it, at {other.origin.source}:{other.origin.line}"
            yield Problem(*device.origin, what, hint)
