"""docs/site.md and docs/rules.md: their examples are a whole site that is accepted."""

from typing import get_args

from devices.kind import BY_NAME
from devices.site.forms import AreaForm, DeviceForm, DutyForm, HouseholdForm, MemberForm
from devices.site.loader import load
from gridwarden.rule_library import library_texts
from rules.loader import load as load_rules
from rules.model import Condition
from tests.docs.pages import examples, read

SITE = {example.words[0]: example.text for example in examples("docs/site.md")}
PAGE = examples("docs/rules.md")
RULES = {str(i): example.text for i, example in enumerate(PAGE) if not example.words}
LIBRARY = {example.words[0]: example.text for example in PAGE if example.words}
FORMS = (AreaForm, DeviceForm, DutyForm, HouseholdForm, MemberForm)


def test_the_examples_are_a_site() -> None:
    site = load(SITE)
    assert site.time_zone == "Asia/Shanghai"
    counts = [len(part) for part in (site.areas, site.households, site.devices, site.members)]
    assert counts == [4, 2, 6, 2]
    assert len(site.duties) == 2


def test_every_field_of_every_section_is_explained() -> None:
    page = read("docs/site.md")
    fields = {f.alias or name for form in FORMS for name, f in form.model_fields.items()}
    assert [field for field in sorted(fields) if field not in page] == []
    assert all(device in BY_NAME for device in ("wearable", "parking_bay", "car_park"))


def test_the_example_rules_are_of_every_kind() -> None:
    kinds = {type(rule.condition) for rule in load_rules(RULES)}
    assert kinds == set(get_args(Condition))


def test_the_example_of_the_library_is_accepted() -> None:
    rules = {rule.code: rule for rule in load_rules(LIBRARY, library_texts())}
    assert rules["care.spo2_low"].severity == "orange"
    assert not rules["care.no_movement"].unless_away
    assert "care.spo2_lowered" not in rules
    assert "parking.car_park_full" in rules
