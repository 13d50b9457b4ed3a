"""A small place in a mapping of another file: what is filled in, and what is wrong."""

import pytest

from devices.document import scan
from devices.errors import Problem
from devices.instant import MINUTE
from devices.site import Site
from devices.site.inline import read_place


def read(text: str) -> tuple[Site | None, list[Problem]]:
    """The place, and every problem."""
    data, lines, problems = scan("test.yaml", text)
    assert isinstance(data, dict)
    return read_place("test.yaml", data, lines, "Asia/Shanghai", problems), problems


def place(text: str) -> Site:
    """The place; it must be sound."""
    site, problems = read(text)
    assert problems == []
    assert site is not None
    return site


def test_a_device_alone_is_in_a_building_of_a_grid_of_a_community() -> None:
    site = place("devices: {door: door}")
    (device,) = site.devices.values()
    assert (device.community, device.area, device.household) == ("community", "building", None)
    assert site.path("building") == ("building", "grid", "community")
    assert [area.kind for area in site.areas.values()] == ["community", "grid", "building"]
    assert site.time_zone == "Asia/Shanghai"


def test_homes_and_members_that_are_named_are_made_up() -> None:
    site = place("devices: {band: {kind: wearable, household: home}}\nduties: {li: grid}")
    assert (site.households["home"].area, site.households["home"].care) == ("building", False)
    (duty,) = site.duties
    assert (duty.member, duty.area, duty.role, duty.categories) == (
        "li",
        "grid",
        "grid_member",
        None,
    )
    assert list(site.members) == ["li"]


def test_own_fields_count() -> None:
    site = place(
        "households: {home: {care: true, area: b2}}\n"
        "areas: {g: {kind: grid, areas: {b1: building, b2: {kind: building, name: Two}}}}\n"
        "devices: [{code: band, kind: wearable, household: home, interval: 5m}]\n"
        "members: [{code: li, name: Li, language: en}, wang]\n"
        "duties: [{member: li, role: nurse, categories: [care]}, {member: wang, area: b1}]"
    )
    assert site.path("b2") == ("b2", "g", "community")
    assert site.areas["b2"].name["en"] == "Two"
    (device,) = site.devices.values()
    assert (device.area, device.interval) == ("b2", 5 * MINUTE)
    assert [(d.member, d.area, d.role) for d in site.duties] == [
        ("li", "community", "nurse"),
        ("wang", "b1", "grid_member"),
    ]
    assert site.members["li"].language == "en"


def test_a_community_of_ones_own_stays() -> None:
    site = place("areas: {c: {kind: community, areas: {a: yard, b: yard}}}\ndevices: {d: door}")
    assert list(site.areas) == ["c", "a", "b"]
    assert list(site.devices) == [("c", "d")]
    assert next(iter(site.devices.values())).area == "a"


def test_areas_may_name_their_parents() -> None:
    areas = "areas: [{code: c, kind: community}, {code: b, kind: yard, parent: c}]"
    assert next(iter(place(f"{areas}\ndevices: {{d: door}}").devices.values())).area == "b"


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("device: {}", 1, "unknown key 'device'"),
        ("devices:\n  band: wearabel", 2, "no kind of device"),
        ("devices:\n  band: {household: home}", 2, "'kind' is missing"),
        ("devices:\n  band:\n    kind: door\n    gateway: gw", 4, "'gateway' names 'gw'"),
        ("devices: 7", 1, "'devices' is 7"),
        ("devices:\n  d: 7", 2, "7 is no entry of devices"),
        ("devices:\n- {code: d, kind: door}\n- {code: d, kind: door}", 3, "given twice"),
        ("devices:\n  d: {kind: door, code: e}", 2, "'code' is given twice"),
        ("households: {}\ndevices:\n  d: {kind: door, household: h}", 3, "not in households"),
        ("areas:\n  a:\n    kind: yard\n    areas:\n      b: {}", 5, "'kind' is missing"),
        ("duties:\n  li: nowhere", 2, "'area' names 'nowhere'"),
        ("duties:\n  li: {from: 2026-02-30}", 2, "2026-02-30"),
        ("members: [wang]\nduties:\n  li: grid", 3, "not in members"),
    ],
)
def test_mistakes_have_their_line(text: str, line: int, what: str) -> None:
    site, problems = read(text)
    assert site is None
    (found,) = problems
    assert (found.source, found.line) == ("test.yaml", line)
    assert what in found.what
    assert "s.yaml" not in found.hint
