"""Site folders: what is understood, and what is said of several mistakes at once."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.instant import MINUTE, to_micros
from devices.kind import BY_NAME
from devices.site import SiteError, load
from tests.devices.site_files import AREA, SOUND, changed, example, problems_of


def test_the_whole_of_a_small_site() -> None:
    site = load(SOUND)
    assert (site.name, site.time_zone) == ({"zh": "绿园", "en": "Lvyuan"}, "Asia/Shanghai")
    assert site.path("building-1") == ("building-1", "grid-1", "lvyuan", "city")
    assert site.households["b1-101"].care
    assert site.households["b1-102"].away
    assert site.households["b1-101"].name == {"zh": "b1-101", "en": "b1-101"}
    assert site.members["wang"].phone == "+86 139 0000 0001"
    assert (site.members["wang"].language, site.members["li"].language) == ("zh", "en")
    assert site.rule_files == {"rules/care.yaml": "anything: [\n"}


def test_a_device_has_what_its_kind_has_where_nothing_else_is_said() -> None:
    devices = load(SOUND).devices
    bay, sos, lot = (devices["lvyuan", code] for code in ("bay-1", "sos-1", "lot-1"))
    assert (bay.interval, bay.metrics) == (10 * MINUTE, BY_NAME["parking_bay"].metrics)
    assert (sos.area, sos.household, sos.interval) == (
        "building-1",
        "b1-101",
        BY_NAME["sos_button"].interval,
    )
    assert sos.name == {"zh": "紧急按钮", "en": "SOS button"}
    assert (lot.metrics, lot.attributes) == (("parking_free",), {"capacity": 60.0})
    assert lot.name == {"zh": "停车场", "en": "Car park"}


def test_duties_are_dated_in_the_sites_time_zone_and_include_their_last_day() -> None:
    wang, li = load(SOUND).duties
    assert (wang.valid_from, wang.valid_to) == (None, None)
    assert wang.categories == frozenset({"care", "parking"})
    assert li.categories is None
    assert li.valid_from == to_micros(datetime(2025, 12, 31, 16, tzinfo=UTC))
    assert li.valid_to == to_micros(datetime(2026, 6, 30, 16, tzinfo=UTC))


def test_an_instant_with_an_offset_is_meant_exactly() -> None:
    text = "- {member: li, area: city, role: r, from: 2026-01-01T08:00+08:00}\n"
    (duty,) = load(changed(duties=text)).duties
    assert duty.valid_from == to_micros(datetime(2026, 1, 1, tzinfo=UTC))


def test_a_section_may_be_split_into_a_folder() -> None:
    files = SOUND | {"devices/doors.yaml": "- {code: door-1, kind: door, area: building-1}\n"}
    assert len(load(files).devices) == 4


def test_two_communities_may_use_the_same_device_code() -> None:
    areas = "- {code: a, kind: community, name: A}\n- {code: b, kind: community, name: B}\n"
    devices = "- {code: d, kind: door, area: a}\n- {code: d, kind: door, area: b}\n"
    site = load({"site.yaml": SOUND["site.yaml"], "areas.yaml": areas, "devices.yaml": devices})
    assert list(site.devices) == [("a", "d"), ("b", "d")]


def test_a_community_in_a_community() -> None:
    areas = SOUND["areas.yaml"].replace("kind: building", "kind: community")
    (problem,) = problems_of(changed(areas=areas))
    assert problem == (
        "devices.yaml:2: the device lies in more than one community: building-1, lvyuan"
        " (a community must not lie in another one)"
    )


def test_no_community_at_all() -> None:
    files = {"site.yaml": SOUND["site.yaml"], "areas.yaml": "- {code: a, kind: grid, name: A}\n"}
    assert problems_of(files) == [
        (
            "areas.yaml:1: no area is a community (give one area 'kind: community';"
            " its code stands in the topics of its devices)"
        )
    ]


def test_missing_files() -> None:
    assert [p.split(" (")[0] for p in problems_of({})] == [
        "areas.yaml:1: the file is missing",
        "site.yaml:1: the file is missing",
    ]
    files = {"site.yaml": SOUND["site.yaml"], "areas.yaml": AREA, "areas.yml": AREA}
    assert problems_of(files) == [
        "areas.yml:1: a site has no such file (the name must end in .yaml)"
    ]


def test_all_problems_of_all_files_at_once_in_order() -> None:
    found = problems_of(
        changed(
            site="name: x\n",
            areas=SOUND["areas.yaml"] + "- {code: x, kind: K, name: x, color: red}\n",
            devices="- {code: d, kind: dor, household: b9}\n- {cod: e, kind: door, area: grid9}\n",
            members="- {code: wang, name: x, phone: x}\n- {code: li, name: x}\n",
            duties="- {member: wang, area: city, role: R}\n- {member: wnag, area: x, role: r}\n",
        )
    )
    assert [p.split(" (")[0] for p in found] == [
        "areas.yaml:12: 'kind' is 'K', not a word",
        "areas.yaml:12: unknown key 'color'",
        "devices.yaml:1: 'household' names 'b9', which is not in households",
        "devices.yaml:1: 'kind' is 'dor', which is no kind of device",
        "devices.yaml:2: 'area' names 'grid9', which is not in areas",
        "devices.yaml:2: 'code' is missing",
        "devices.yaml:2: unknown key 'cod'",
        "duties.yaml:1: 'role' is 'R', not a word",
        "duties.yaml:2: 'member' names 'wnag', which is not in members",
        "members.yaml:1: 'phone' is 'x', not a phone number",
        "site.yaml:1: 'time_zone' is missing",
    ]


@pytest.mark.parametrize("section", ["site", "areas", "households", "members", "devices"])
def test_an_unreadable_file_is_one_problem_not_a_wave(section: str) -> None:
    (problem,) = problems_of(changed(**{section: "- {code: [\n"}))
    assert problem.startswith(f"{section}.yaml:2: not readable as YAML: ")


def test_very_many_unknown_codes_are_told_in_no_time() -> None:
    devices = "".join(f"- {{code: d{n}, kind: door, household: h{n}}}\n" for n in range(20_000))
    households = "".join(f"- {{code: g{n}, area: grid-1}}\n" for n in range(20_000))
    found = problems_of(changed(devices=devices, households=households))
    assert len(found) == 20_000
    assert found[-1].endswith("which is not in households (add it to households.yaml)")


def test_a_malformed_area_is_one_problem_not_one_for_each_device_in_it() -> None:
    areas = SOUND["areas.yaml"].replace("code: lvyuan", "code: l v")
    found = problems_of(changed(areas=areas, duties=""))
    assert [p.split(" (")[0] for p in found] == [
        "areas.yaml:5: 'code' is 'l v', which cannot be a code"
    ]


def test_the_example_site() -> None:
    site = load(example())
    kinds = [device.kind for device in site.devices.values()]
    care = [household for household in site.households.values() if household.care]
    assert len(site.households) == 120
    assert (kinds.count("door"), kinds.count("barrier")) == (20, 3)
    assert kinds.count("parking_bay") == 60 + 3
    assert len(care) == kinds.count("sos_button") == 12
    assert {d.community for d in site.devices.values()} == {"lvyuan"}
    assert [a.kind for a in site.areas.values()].count("grid") == 3
    assert len(site.members) == 8


@given(st.sampled_from(sorted(SOUND)), st.integers(0, 400), st.text(max_size=5))
def test_a_spoilt_file_gives_a_site_or_problems_with_lines(name: str, at: int, insert: str) -> None:
    text = SOUND[name][:at] + insert + SOUND[name][at:]
    try:
        load(SOUND | {name: text})
    except SiteError as error:
        lines = {p.source: p.line for p in error.problems}
        assert all(1 <= line <= len(text.splitlines()) + 12 for line in lines.values())
