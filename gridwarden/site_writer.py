"""Writes a site folder from its parts, one file of homes and one of devices per community.

What is written is JSON in lines, which YAML is a superset of; `site check` reads it back.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TextIO

from devices.instant import format_duration, to_datetime
from devices.kind import BY_NAME
from devices.simulator.parts import Part
from devices.site import AreaEntry, DeviceEntry, DutyEntry, HouseholdEntry, MemberEntry, Site
from gridwarden.errors import GridwardenError

CARE = "rules/care.yaml"
CHANGE = "\n  change:\n"
"""Where the example's changes begin; nothing comes after them."""
COPD = """\
    care.spo2_low:
      when: spo2 <= 91 - 8 * device.copd
      clear: spo2 >= 94 - 8 * device.copd
    care.spo2_lowered:
      when: spo2 > 91 - 8 * device.copd and spo2 < 94 - 8 * device.copd
"""
"""The library's rules on blood oxygen, and the same on NEWS2's second scale (3 points at 83 % and
less, 2 at 84 and 85 %) for wearables whose attribute `copd` is 1."""


class FolderError(GridwardenError):
    """The folder to write to holds something already, or the example's rules are not as known."""


class Written(NamedTuple):
    """How much was written."""

    communities: int
    households: int
    devices: int


def write_site(
    folder: Path,
    header: Mapping[str, object],
    parts: Iterable[Part],
    rules: Mapping[str, str],
    step: Callable[[], None] = lambda: None,
) -> Written:
    """Write a site folder; FolderError where the folder is not empty. `step` after each part."""
    if folder.exists() and any(folder.iterdir()):
        raise FolderError(f"{folder} is not empty: give a new folder")
    for name in ("households", "devices", "rules"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "site.yaml").write_text(f"{json.dumps(header, ensure_ascii=False)}\n", "utf-8")
    for path, text in rules.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    with (
        (folder / "areas.yaml").open("w", encoding="utf-8") as areas,
        (folder / "members.yaml").open("w", encoding="utf-8") as members,
        (folder / "duties.yaml").open("w", encoding="utf-8") as duties,
    ):
        return _write(folder, parts, (areas, members, duties), step)


def with_copd(rules: Mapping[str, str]) -> dict[str, str]:
    """The example's rules with COPD; FolderError where they do not read as they did."""
    care = rules[CARE]
    if care.count(CHANGE) != 1 or not care.endswith("\n"):
        raise FolderError(f"{CARE} of the example does not end with one '{CHANGE.strip()}'")
    return {**rules, CARE: care + COPD}


def header_of(site: Site) -> Mapping[str, object]:
    """What stands in site.yaml."""
    return {"name": dict(site.name), "time_zone": site.time_zone}


def _write(
    folder: Path,
    parts: Iterable[Part],
    shared: tuple[TextIO, TextIO, TextIO],
    step: Callable[[], None],
) -> Written:
    areas, members, duties = shared
    known_areas, known_members, known_duties = set[str](), set[str](), set[str]()
    counts = [0, 0, 0]
    for part in parts:
        _lines(areas, (a for a in part.areas if _new(known_areas, a.code)), _area)
        _lines(members, (m for m in part.members if _new(known_members, m.code)), _member)
        _lines(duties, (d for d in part.duties if _new(known_duties, repr(d))), _duty)
        for name, entries, form in (
            ("households", part.households, _household),
            ("devices", part.devices, _device),
        ):
            if entries:
                path = folder / name / f"{part.community}.yaml"
                with path.open("w", encoding="utf-8") as file:
                    _lines(file, entries, form)
        counts = [counts[0] + 1, counts[1] + len(part.households), counts[2] + len(part.devices)]
        step()
    return Written(*counts)


def _new(known: set[str], code: str) -> bool:
    fresh = code not in known
    known.add(code)
    return fresh


def _lines(file: TextIO, entries: Iterable[object], form: Callable[..., dict[str, object]]) -> None:
    file.writelines(f"- {json.dumps(form(entry), ensure_ascii=False)}\n" for entry in entries)


def _area(area: AreaEntry) -> dict[str, object]:
    around = {"parent": area.parent} if area.parent else {}
    return {"code": area.code, "kind": area.kind, **around, "name": dict(area.name)}


def _household(home: HouseholdEntry) -> dict[str, object]:
    flags = {name: True for name in ("care", "away") if getattr(home, name)}
    return {"code": home.code, "area": home.area, "name": dict(home.name), **flags}


def _device(device: DeviceEntry) -> dict[str, object]:
    kind = BY_NAME[device.kind]
    place = {"household": device.household} if device.household else {"area": device.area}
    entry: dict[str, object] = {"code": device.code, "kind": device.kind, **place}
    if device.name["zh"] != kind.zh:
        entry["name"] = dict(device.name)
    if device.interval != kind.interval:
        entry["interval"] = format_duration(device.interval)
    if device.metrics != kind.metrics:
        entry["metrics"] = list(device.metrics)
    if device.attributes:
        entry["attributes"] = dict(device.attributes)
    if device.address:
        entry["address"] = device.address
    if device.gateway:
        entry["gateway"] = device.gateway
    return entry


def _member(member: MemberEntry) -> dict[str, object]:
    phone = {"phone": member.phone} if member.phone else {}
    return {"code": member.code, "name": dict(member.name), **phone, "language": member.language}


def _duty(duty: DutyEntry) -> dict[str, object]:
    entry: dict[str, object] = {"member": duty.member, "area": duty.area, "role": duty.role}
    if duty.categories is not None:
        entry["categories"] = sorted(duty.categories)
    for name, moment in (("from", duty.valid_from), ("to", duty.valid_to)):
        if moment is not None:
            entry[name] = to_datetime(moment).isoformat()
    return entry
