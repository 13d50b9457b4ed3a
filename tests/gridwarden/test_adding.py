"""Devices written into a site folder: all of them, or none."""

from dataclasses import replace
from pathlib import Path

import pytest

from devices.formats.announcing import Announced
from devices.kind import BY_NAME
from devices.site import SiteError
from gridwarden.adding import (
    ADDED,
    added,
    code_of,
    entry,
    read_entries,
    read_table,
    suggested,
    write,
)
from gridwarden.changing import changed, without
from gridwarden.site import check
from tests import small_site

TABLE = """\
kind,code,household,area,address,name_zh,name_en
sos_button,,h-1,,0004A30B001C0530,,
door,door-9,,grid-1,,九号门,Door 9
motion_sensor,,h-1,,hall/ceiling 1,走廊,
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return small_site.write(tmp_path, "lvyuan")


def test_a_table_becomes_devices_and_more_follow(folder: Path) -> None:
    write(folder, added(folder, read_table("t.csv", TABLE.splitlines())))
    write(
        folder, added(folder, [entry({"code": "bay-1", "kind": "parking_bay", "area": "grid-1"})])
    )
    site, _ = check(folder)
    new = [d for d in site.devices.values() if d.origin.source == ADDED]
    assert [(d.code, d.address, d.area, d.household) for d in new] == [
        ("0004A30B001C0530", None, "grid-1", "h-1"),
        ("door-9", None, "grid-1", None),
        ("hall-ceiling-1", "hall/ceiling 1", "grid-1", "h-1"),
        ("bay-1", None, "grid-1", None),
    ]
    assert new[1].name == {"zh": "九号门", "en": "Door 9"}
    assert new[2].name == {"zh": "走廊", "en": "走廊"}


def test_entries_are_imported_from_yaml_as_they_are_written_in_the_folder(folder: Path) -> None:
    text = """\
- {code: lot-1, kind: car_park, area: grid-1, attributes: {capacity: 20}}
- address: hall/sos
  kind: sos_button
  household: h-1
"""
    write(folder, added(folder, read_entries("new.yaml", text)))
    site, _ = check(folder)
    new = [d for d in site.devices.values() if d.origin.source == ADDED]
    assert [(d.code, d.address, dict(d.attributes)) for d in new] == [
        ("lot-1", None, {"capacity": 20.0}),
        ("hall-sos", "hall/sos", {}),
    ]


def test_what_is_wrong_is_told_where_it_was_read(folder: Path) -> None:
    write(folder, added(folder, [entry({"code": "d", "kind": "door", "area": "grid-1"})]))
    table = "kind,code,area\ndoor,e,grid-1\ndoor,f,grid-9\n"
    with pytest.raises(SiteError, match=r"^t\.csv:3: .*grid-9"):
        added(folder, read_table("t.csv", table.splitlines()))
    text = "- {code: e, kind: door, area: grid-1}\n- code: f\n  kind: doors\n  area: grid-1\n"
    with pytest.raises(SiteError, match=r"^n\.yaml:2: .*'doors'"):
        added(folder, read_entries("n.yaml", text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "n.yaml:1: is no list"),
        ("code: a", "n.yaml:1: is no list"),
        ("- {code: a}\n- word\n", "n.yaml:2: is no mapping"),
        ("- {code: a", "n.yaml:2: not readable as YAML"),
    ],
)
def test_yaml_that_is_no_list_of_devices_is_told(text: str, told: str) -> None:
    with pytest.raises(SiteError, match=told):
        read_entries("n.yaml", text)


def test_devices_leave_and_change_in_whatever_file_they_are(folder: Path) -> None:
    (folder / "devices").mkdir()
    more = "# kept\n- {code: door-1, kind: door, area: grid-1}\n"
    (folder / "devices" / "doors.yaml").write_text(more)
    names = ["lvyuan/door-1", "lvyuan/wearable-2", "lvyuan/wearable-1"]
    write(folder, without(folder, names))
    left = {code for _, code in check(folder)[0].devices}
    assert left == {f"wearable-{n}" for n in range(3, small_site.WEARABLES + 1)}
    assert (folder / "devices" / "doors.yaml").read_text() == "# kept\n"
    write(folder, changed(folder, "lvyuan/wearable-3", {"household": None, "area": "grid-1"}))
    device = check(folder)[0].devices["lvyuan", "wearable-3"]
    assert (device.area, device.household) == ("grid-1", None)


def test_a_device_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(SiteError, match=r"lvyuan/wearable-99.* no such device \(did you mean"):
        without(folder, ["lvyuan/wearable-1", "lvyuan/wearable-99"])
    with pytest.raises(SiteError, match="grid-9"):
        changed(folder, "lvyuan/wearable-1", {"household": None, "area": "grid-9"})


def test_a_table_names_the_gateway(folder: Path) -> None:
    table = "kind,code,household,area,gateway\ngateway,gw-1,,grid-1,\nsos_button,sos-1,h-1,,gw-1\n"
    write(folder, added(folder, read_table("t.csv", table.splitlines())))
    site, _ = check(folder)
    new = {d.code: d.gateway for d in site.devices.values() if d.origin.source == ADDED}
    assert new == {"gw-1": None, "sos-1": "gw-1"}


def test_an_unsound_site_changes_nothing(folder: Path) -> None:
    row = {"code": "wearable-1", "kind": "wearble", "household": "h-1"}
    with pytest.raises(SiteError, match="did you mean 'wearable'"):
        added(folder, [entry(row)])
    with pytest.raises(SiteError, match="code 'wearable-1' is given twice"):
        added(folder, [entry({**row, "kind": "wearable"})])
    assert not (folder / ADDED).exists()


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ("", "t.csv:1: there is no column 'kind'"),
        ("kind,colour\ndoor,red\n", "t.csv:1: unknown column 'colour'"),
        ("kind,area\ndoor\n", "t.csv:2: the row has not as many cells as the head line, 2"),
        ("kind,area\ndoor,a\ndoor,a,b\n", "t.csv:3: the row has not as many cells"),
    ],
)
def test_a_table_that_is_none_is_told_with_its_line(table: str, told: str) -> None:
    with pytest.raises(SiteError, match=told):
        read_table("t.csv", table.splitlines())


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("0x00158d0001", "0x00158d0001"),
        ("Hall/Sos", "hall-sos"),
        ("urn:dev:ow:10e2/", "urn-dev-ow-10e2"),
        ("…", ""),
        ("a" * 80, "a" * 64),
    ],
)
def test_a_code_from_an_address(address: str, code: str) -> None:
    assert code_of(address) == code


def test_an_announcement_suggests_kind_metrics_and_name() -> None:
    told = Announced("c", "0xd", "Hall", "Maker", "M1", (), ("door_open", "battery"))
    assert suggested(told) == {
        "kind": "door",
        "metrics": [*BY_NAME["door"].metrics, "battery"],
        "name": {"zh": "Hall", "en": "Hall"},
    }
    assert suggested(replace(told, metrics=("smoke",), name="")) == {"kind": "smoke_detector"}
    assert suggested(replace(told, metrics=("temperature",), name="")) == {}
