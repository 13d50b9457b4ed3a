"""What alerts are called: placeholders filled in, in both languages."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from alerts.measure import rounded
from alerts.place import locate
from alerts.texts import Texts, texts_of
from devices.instant import SECOND
from rules.loader import load
from rules.model import Rule, SubjectKind
from rules.transition import Transition
from tests.alerts.estate import INVENTORY, NOW, press, transition

SHANGHAI = ZoneInfo("Asia/Shanghai")
NAMES = [{"zh": f"烟感{i}", "en": f"Detector {i}"} for i in range(1, 6)]


def rule(title: str, condition: str = "when: temperature >= 30") -> Rule:
    text = (
        f"- id: a.b\n  category: c\n  severity: red\n  watch: {{metric: temperature}}\n"
        f"  {condition}\n  title: {{zh: '{title}', en: '{title}'}}\n"
    )
    (made,) = load({"r.yaml": text})
    return made


def texts(of: Transition, devices: int = 1) -> Texts:
    return texts_of(of, locate(of.subject, INVENTORY), NAMES[:devices], SHANGHAI)


def en(title: str, value: float | None = 36.666666, **more: str) -> str:
    return texts(replace(transition(value=value), rule=rule(title, **more))).title["en"]


def test_the_value_is_rounded_and_has_its_unit() -> None:
    warm = replace(transition(value=36.666666), rule=rule("t {value} {unit}"))
    assert texts(warm).title == {"zh": "t 36.67 °C", "en": "t 36.67 °C"}
    assert texts(warm).plain["en"] == "t"


def test_what_is_not_known_is_said_to_be_unknown() -> None:
    assert en("t: {value} {unit}", None) == "t: unknown"


def test_a_count_has_no_unit() -> None:
    counted = {"condition": "within: 5m\n  when: count >= 3"}
    assert en("{value}{unit} times", 5.0, **counted) == "5 times"


def test_where_since_when_and_which_rule() -> None:
    told = texts(replace(press(NOW + SECOND), rule=rule("{household}|{place}|{since}|{rule}")))
    where = "Sunshine · East grid · Building 1 · Flat 301"
    assert told.title["en"] == f"Flat 301|{where}|2025-11-21 10:40|a.b"


def test_the_device_is_that_of_the_alert_or_those_that_caused_it() -> None:
    assert en("{device} says so") == "Smoke detector says so"
    area = replace(transition(), subject=replace(transition().subject, kind=SubjectKind.AREA, id=5))
    many = texts_of(
        replace(area, rule=rule("seen by {device}")),
        replace(locate(transition().subject, INVENTORY), device=None),
        NAMES,
        SHANGHAI,
    )
    assert many.title["en"] == "seen by Detector 1, Detector 2, Detector 3 and 2 more"
    assert many.title["zh"] == "seen by 烟感1、烟感2、烟感3等5台"


def test_what_is_empty_leaves_no_gap() -> None:
    assert en("too warm ({household}), look") == "too warm, look"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0041234, "0.004"),
        (0.0, "0"),
        (5.25, "5.25"),
        (-36.66666, "-36.67"),
        (103.456, "103.5"),
        (1013.25, "1013"),
        (12345.0, "12345"),
        (7.0, "7"),
    ],
)
def test_numbers_have_about_four_digits(value: float, text: str) -> None:
    assert rounded(value) == text
