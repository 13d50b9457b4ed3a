"""A city like Daqing has the people it should have, is a sound site, and plays under its codes."""

from collections import Counter
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import orjson
import pytest

from devices.instant import DAY, HOUR, to_micros
from devices.simulator.cast import Cast
from devices.simulator.city import City
from devices.simulator.daqing import COMMUNITIES, ELDERS, STREETS, CityPlan
from devices.simulator.faults import NO_FAULTS
from devices.simulator.incidents import Incidence
from devices.simulator.parts import Part, inventory_of, parts_of
from devices.simulator.rhythm import Span
from gridwarden.demo_site import example_site
from gridwarden.site import check, read_folder
from gridwarden.site_warnings import find_warnings
from gridwarden.site_writer import FolderError, header_of, with_copd, write_site

ZONE = ZoneInfo("Asia/Shanghai")
START = to_micros(datetime(2026, 3, 2, tzinfo=ZONE))
PLAN = CityPlan(3, 1_000)
HEADER = {"name": {"zh": "城", "en": "City"}, "time_zone": "Asia/Shanghai"}


def rules() -> dict[str, str]:
    files = read_folder(example_site())
    return with_copd({path: text for path, text in files.items() if path.startswith("rules/")})


def wearers(part: Part) -> int:
    return sum(device.kind == "wearable" for device in part.devices)


def test_the_whole_city_has_its_people_communities_and_streets() -> None:
    plan = CityPlan()
    assert (plan.communities, plan.streets) == (COMMUNITIES, STREETS)
    assert sum(plan.elders_in(n) for n in range(COMMUNITIES)) == ELDERS
    first = next(plan.parts())
    assert wearers(first) == plan.elders_in(0) == 1_545
    grids = sum(area.kind == "grid" for area in first.areas)
    households = 2_781_562 / 2.6 / COMMUNITIES / grids
    assert 300 <= households <= 500


@pytest.mark.parametrize(("communities", "elders"), [(1, 1), (3, 1_000), (7, 6)])
def test_any_size_has_so_many_elders(communities: int, elders: int) -> None:
    parts = list(CityPlan(communities, elders).parts())
    assert len(parts) == communities
    assert sum(map(wearers, parts)) == elders


def test_the_written_folder_is_sound_and_says_what_is_played(tmp_path: Path) -> None:
    folder = tmp_path / "city"
    written = write_site(folder, HEADER, PLAN.parts(), rules())
    site, loaded = check(folder)
    assert written.devices == len(site.devices)
    assert [w for w in find_warnings(site, loaded, START) if "nobody" in w.what] == []
    for part in PLAN.parts():
        for device in part.devices:
            assert site.devices[device.community, device.code] == device
        for area in part.areas:
            assert site.areas[area.code] == area
    cast = Cast.of(map(inventory_of, PLAN.parts()), 1)
    assert {cast.where(row) for row in range(len(cast))} == set(site.devices)


def test_rules_of_the_city_allow_for_blood_oxygen_that_is_always_low(tmp_path: Path) -> None:
    write_site(tmp_path / "city", HEADER, CityPlan(1, 100).parts(), rules())
    _, loaded = check(tmp_path / "city")
    low = next(rule for rule in loaded if rule.code == "care.spo2_low")
    assert "device.copd" in low.text
    with pytest.raises(FolderError, match="does not end with"):
        with_copd({"rules/care.yaml": "nothing"})


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(FolderError, match="is not empty"):
        write_site(tmp_path, HEADER, PLAN.parts(), {})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_community_says_the_same_in_a_larger_city() -> None:
    span = Span(START + 7 * HOUR, START + 8 * HOUR, ZONE)
    quiet = Incidence(0, (), opening=False)
    alone = Cast.of([inventory_of(next(PLAN.parts()))], 1)
    whole = Cast.of(map(inventory_of, PLAN.parts()), 1)
    said = [
        m
        for m in City(whole, span, incidence=quiet, rates=NO_FAULTS).messages()
        if m.topic.startswith("gw/v1/c001/")
    ]
    assert len(said) > 1_000
    own = list(City(alone, span, incidence=quiet, rates=NO_FAULTS).messages())
    assert Counter(own) == Counter(said)


def test_some_wearers_have_low_blood_oxygen_for_good() -> None:
    cast = Cast.of(map(inventory_of, PLAN.parts()), 1)
    span = Span(START + 9 * HOUR, START + 11 * HOUR, ZONE)
    quiet = Incidence(0, (), opening=False)
    low, well = set[float](), set[float]()
    for burst in City(cast, span, incidence=quiet, rates=NO_FAULTS).bursts():
        for row, payload in zip(burst.row.tolist(), burst.payload, strict=True):
            if b"spo2" in payload:
                value = orjson.loads(payload)["values"]["spo2"]
                (low if cast.copd[row] else well).add(value)
    assert 0.01 < np.mean(cast.copd[cast.rows("wearable")]) < 0.06
    assert 88 <= min(low) <= max(low) <= 93
    assert 95 <= min(well) <= max(well) <= 100


def test_a_site_is_played_and_written_several_times_over(tmp_path: Path) -> None:
    site, _ = check(example_site())
    folder = tmp_path / "scaled"
    written = write_site(folder, header_of(site), parts_of(site, 3), site.rule_files)
    assert written.communities == 3
    scaled, loaded = check(folder)
    assert len(scaled.devices) == 3 * len(site.devices)
    communities = {community for community, _ in scaled.devices}
    assert communities == {"lvyuan", "lvyuan-0002", "lvyuan-0003"}
    assert [w for w in find_warnings(scaled, loaded, START) if "nobody" in w.what] == []
    cast = Cast.of(map(inventory_of, parts_of(site, 3)), 1)
    assert {cast.where(row) for row in range(len(cast))} == set(scaled.devices)
    span = Span(START, START + DAY // 24, ZONE)
    assert {m.topic.split("/")[2] for m in City(cast, span).messages()} == communities
