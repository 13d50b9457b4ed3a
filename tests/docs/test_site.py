"""docs/site.md and docs/rules.md: their examples are a whole site that is accepted."""

from devices.kind import BY_NAME
from devices.site.forms import AreaForm, DeviceForm, DutyForm, HouseholdForm, MemberForm
from devices.site.loader import load
from rules.loader import load as load_rules
from rules.model import Absence, Baseline, CountInWindow, MeasureInWindow, RiskIndex, Threshold
from tests.docs.pages import examples, read

SITE = {example.words[0]: example.text for example in examples("docs/site.md")}
RULES = {str(i): example.text for i, example in enumerate(examples("docs/rules.md"))}
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
    assert kinds == {Threshold, Absence, CountInWindow, MeasureInWindow, RiskIndex, Baseline}
