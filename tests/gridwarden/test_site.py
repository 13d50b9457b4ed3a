"""A site folder with its rules: checked as one, and what it lacks."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from devices.errors import Problem
from devices.instant import to_micros
from devices.site import SiteError, load
from gridwarden.site import check, check_files, read_folder, rule_texts
from gridwarden.site_warnings import find_warnings, provisional_inventory
from tests.devices.site_files import EXAMPLE, SOUND

NOW = to_micros(datetime(2026, 3, 1, tzinfo=UTC))

RULE = """\
- id: care.sos
  category: care
  watch: {metric: sos, kind: sos_button}
  when: sos >= 1
  severity: red
  title: {zh: 紧急呼叫, en: SOS button pressed}
"""

CARE = SOUND | {"rules/care.yaml": RULE}


def problems_of(files: dict[str, str]) -> list[str]:
    """The problems of these files, as they are shown."""
    with pytest.raises(SiteError) as raised:
        check_files(files)
    return [str(problem) for problem in raised.value.problems]


def warnings_of(files: dict[str, str]) -> list[Problem]:
    """What these files lack."""
    return find_warnings(*check_files(files), NOW)


def write(folder: Path, files: dict[str, str]) -> Path:
    """The folder with these files in it."""
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def test_problems_of_the_site_and_of_the_rules_come_together() -> None:
    rules = RULE.replace("metric: sos", "metric: soss")
    files = CARE | {"rules/care.yaml": rules, "households.yaml": "- {code: b1-101}\n"}
    places = [problem.split(": ")[0] for problem in problems_of(files)]
    assert places == ["households.yaml:1", "rules/care.yaml:3"]


@pytest.mark.parametrize(
    ("watch", "what"),
    [
        (
            "{metric: sos, area: gird-1}",
            "area 'gird-1', which the site does not have (did you mean 'grid-1'?)",
        ),
        (
            "{metric: sos, device: sos-2}",
            "device 'sos-2', which the site does not have (did you mean 'sos-1'?)",
        ),
    ],
)
def test_a_rule_that_names_what_is_not_there(watch: str, what: str) -> None:
    rules = RULE.replace("{metric: sos, kind: sos_button}", watch)
    assert problems_of(CARE | {"rules/care.yaml": rules}) == [
        f"rules/care.yaml:1: rule care.sos names {what}"
    ]


def test_nothing_lacks_where_somebody_is_on_duty() -> None:
    assert warnings_of(CARE | {"duties.yaml": duty("grid-1", "[care]")}) == []


def duty(area: str, categories: str, dates: str = "") -> str:
    """A duties.yaml with one duty of wang."""
    return f"- {{member: wang, area: {area}, role: r, categories: {categories}{dates}}}\n"


@pytest.mark.parametrize(
    "duties",
    [
        "",
        duty("grid-2", "[care]"),
        duty("lvyuan", "[care]", ", from: 2026-03-02"),
        duty("lvyuan", "[care]", ", to: 2026-02-27"),
    ],
)
def test_a_hole_in_responsibility(duties: str) -> None:
    assert warnings_of(CARE | {"duties.yaml": duties}) == [
        Problem(
            "duties.yaml",
            1,
            "nobody is on duty for 'care' at building-1",
            "add a duty for 'care' there or at an area around",
        )
    ]


def test_a_category_that_no_rule_has() -> None:
    duties = duty("grid-1", "[care]") + duty("lvyuan", "[cear]")
    (warning,) = warnings_of(CARE | {"duties.yaml": duties})
    assert str(warning) == ("duties.yaml:2: no rule has the category 'cear' (did you mean 'care'?)")


def test_a_site_without_rules() -> None:
    (warning,) = warnings_of({k: v for k, v in SOUND.items() if not k.startswith("rules/")})
    assert warning.what == "there are no rules"


def test_a_rule_that_watches_nothing() -> None:
    rules = RULE.replace("sos_button", "door")
    duties = duty("grid-1", "[care]")
    (warning,) = warnings_of(CARE | {"duties.yaml": duties, "rules/care.yaml": rules})
    assert warning.what == "rule care.sos watches no device of this site"


LOTS = """\
- id: parking.full
  category: parking
  watch: {metric: parking_free, kind: car_park}
  when: parking_free <= device.capacity
  severity: blue
  title: {zh: 车场将满, en: Car park filling}
"""


@pytest.mark.parametrize(
    ("with_it", "without", "told"),
    [(0, 1, "lot-1"), (2, 1, "lot-1"), (1, 1, "lot-1"), (1, 2, ""), (2, 0, "")],
)
def test_an_attribute_that_was_forgotten_and_one_that_marks_a_few(
    with_it: int, without: int, told: str
) -> None:
    lot = "- {{code: lot-{}, kind: car_park, area: grid-1{}}}\n"
    lots = [lot.format(n, "") for n in range(1, without + 1)]
    lots += [lot.format(n, ", attributes: {capacity: 3}") for n in range(7, 7 + with_it)]
    files = {"devices.yaml": "".join(lots), "rules/care.yaml": LOTS}
    warnings = warnings_of(CARE | files | {"duties.yaml": duty("grid-1", "[parking]")})
    what = f"rule parking.full needs capacity, not given for {told}"
    assert [warning.what for warning in warnings] == ([what] if told else [])


@pytest.mark.parametrize(
    ("absent", "interval", "needed"),
    [
        ("14m", "4m", "16m"),
        ("16m", "4m", ""),
        ("15m", "1m", ""),
        ("15m", "2m", "17m"),
        ("3 intervals", "4m", "16m"),
        ("4 intervals", "4m", ""),
    ],
)
def test_a_device_that_is_missed_before_its_gateway(
    absent: str, interval: str, needed: str
) -> None:
    """The gateway is silent after 12 or 15 minutes; a device reports every 4, 1 or 2."""
    every = {"4m": "4m", "1m": "4m40s", "2m": "5m"}[interval]
    devices = (
        f"- {{code: gw-1, kind: gateway, area: grid-1, interval: {every}}}\n"
        f"- {{code: sos-1, kind: sos_button, area: grid-1, gateway: gw-1, interval: {interval}}}\n"
        "- {code: sos-2, kind: sos_button, area: grid-1}\n"
    )
    rule = f"- {{id: device.silent, category: care, watch: {{metric: heartbeat}}, absent: {absent},"
    rules = f"{rule} severity: yellow, title: {{zh: 失联, en: Silent}}}}\n"
    files = {"devices.yaml": devices, "rules/care.yaml": rules}
    found = warnings_of(CARE | files | {"duties.yaml": duty("grid-1", "[care]")})
    what = "rule device.silent would tell of sos-1 before gw-1 is known to be gone"
    assert [warning.what for warning in found] == ([what] if needed else [])
    assert all(f"wait for at least {needed}," in warning.hint for warning in found)


def test_the_provisional_inventory_says_what_the_site_says() -> None:
    site = load(SOUND)
    inventory = provisional_inventory(site)
    for device in site.devices.values():
        found = inventory.find(device.community, device.code)
        assert found is not None
        codes = tuple(inventory.areas[area].code for area in inventory.path(found.area))
        assert codes == site.path(device.area)
        home = inventory.households[found.household].code if found.household else None
        assert home == device.household


def test_rule_texts_say_where_and_what() -> None:
    _, rules = check_files(CARE)
    (text,) = rule_texts(rules)
    assert (text.code, text.source, text.line) == ("care.sos", "rules/care.yaml", 1)
    assert text.fingerprint == rules[0].fingerprint
    assert "metric: sos" in text.text


def test_a_folder_is_read_as_it_lies(tmp_path: Path) -> None:
    write(tmp_path, CARE | {"README.md": "x", ".git/x.yaml": "x", "rules/old.txt": "x"})
    (tmp_path / "site.yaml").write_text(CARE["site.yaml"], encoding="utf-8-sig")
    assert read_folder(tmp_path) == CARE


def test_a_file_that_is_not_utf8(tmp_path: Path) -> None:
    write(tmp_path, CARE)
    (tmp_path / "members.yaml").write_bytes("# 人员\n- {code: wang, name: 王芳}\n".encode("gbk"))
    with pytest.raises(SiteError) as raised:
        check(tmp_path)
    (problem,) = raised.value.problems
    assert (problem.source, problem.line) == ("members.yaml", 1)
    assert problem.what == "byte 0xc8 is not UTF-8"


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(SiteError, match=r"nowhere:1: there is no such folder \(give the folder"):
        check(tmp_path / "nowhere")


def test_the_example_site_with_its_rules_lacks_nothing() -> None:
    site, rules = check(EXAMPLE)
    assert {rule.category for rule in rules} >= {"parking", "access", "care", "safety"}
    assert [str(warning) for warning in find_warnings(site, rules, NOW)] == []
