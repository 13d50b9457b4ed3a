"""Rules about two readings that belong together, as written: understood, refused, written back."""

from dataclasses import replace

import pytest

from devices.instant import MINUTE, SECOND
from rules.errors import RulesError
from rules.loader import load
from rules.model import Missing, NoData, Part, Replaced, Same, Succession, Without
from rules.written import fingerprint, write
from tests.rules.community import rule

HEAD = "- id: a.b\n  category: access\n  severity: red\n  title: {zh: 名, en: n}\n"
FIRST, THEN = "first: {metric: access_granted}", "then: {metric: access_granted}"
FORCED = (
    "watch: {metric: door_open, kind: door}\nwhen: door_open == 1\n"
    "without: {metric: access_granted, within: 10s}\nsame: door"
)


def test_a_sequence_is_understood() -> None:
    opened = rule(
        "x",
        f"{FIRST}\nthen: {{metric: door_open, where: door_open == 1}}\nwithin: 1m\nsame: household",
    )
    condition = opened.condition
    assert isinstance(condition, Succession)
    assert (condition.within, condition.same) == (MINUTE, Same.HOUSEHOLD)
    assert condition.first == Part("access_granted", None)
    assert condition.then.where is not None
    assert opened.watch.metrics == ("access_granted", "door_open")


def test_speed_place_and_what_is_missing_are_understood() -> None:
    fast = rule("x", f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential\ndifferent: device\nspeed: 2")
    assert isinstance(fast.condition, Succession)
    assert (fast.condition.elsewhere, fast.condition.speed) == (True, 2.0)
    assert fast.watch.metrics == ("access_granted",)
    stays = rule(
        "x",
        "first: {metric: vehicle_entry}\nthen: {metric: vehicle_exit}\n"
        "within: 24h\nsame: plate\nmissing: true\nwatch: {area: lot-1}",
    )
    assert isinstance(stays.condition, Missing)
    assert stays.watch.areas == {"lot-1"}


def test_what_had_to_come_before_is_understood() -> None:
    forced = rule("x", FORCED)
    assert isinstance(forced.condition, Without)
    assert forced.condition.within == 10 * SECOND
    assert forced.watch.metrics == ("door_open", "access_granted")


RULES = (
    rule("x", FORCED),
    rule("x", FORCED.replace("10s", "20s")),
    rule("x", f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential"),
    rule("x", f"{FIRST}\n{THEN}\nwithin: 1h\nsame: plate"),
    rule("x", f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential\ndifferent: device"),
    rule("x", f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential\nspeed: 1.5"),
    rule("x", f"{FIRST}\nthen: {{metric: motion, where: motion == 1}}\nwithin: 1h\nsame: device"),
    rule(
        "x",
        f"{FIRST}\nthen: {{metric: motion, where: motion == 1}}\n"
        "within: 1h\nsame: device\nmissing: true",
    ),
)


@pytest.mark.parametrize("one", RULES)
def test_a_rule_written_back_means_the_same(one: object) -> None:
    original = next(known for known in RULES if known is one)
    (again,) = load({"test.yaml": write(original)})
    assert again == replace(original, line=1, text=again.text)
    assert fingerprint(again) == original.fingerprint


def test_whatever_means_something_else_has_another_fingerprint() -> None:
    assert len({known.fingerprint for known in RULES}) == len(RULES)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        (f"{FIRST}\n{THEN}\nwithin: 1h", "'same' of rule a.b: is missing"),
        (f"{FIRST}\n{THEN}\nsame: device", "'within' of rule a.b: is missing"),
        (f"{FIRST}\nwithin: 1h\nsame: device", "'then' of rule a.b: is missing"),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: dor", "did you mean 'door'"),
        (f"{FIRST}\nthen: {{metric: acess_granted}}\nwithin: 1h\nsame: door", "'then.metric'"),
        (
            f"{FIRST}\nthen: {{metric: door_open}}\nwithin: 1h\nsame: door",
            "'then.where' of rule a.b: is missing: 'door_open' is not momentary",
        ),
        (
            f"{FIRST}\nthen: {{metric: door_open, where: door_open > 2}}\nwithin: 1h\nsame: door",
            "can never be true",
        ),
        (
            (
                f"{FIRST}\nthen: {{metric: door_open, where: door_open == 1}}\n"
                "within: 1h\nsame: credential"
            ),
            "'door_open' names no credential",
        ),
        (
            f"{FIRST}\nthen: {{metric: heartbeat}}\nwithin: 1h\nsame: door",
            "'heartbeat' cannot be part of a sequence (write a rule of its own: absent: …)",
        ),
        (
            f"{FIRST}\n{THEN}\nwithin: 1h\nsame: door\nmissing: true",
            "the same reading can be both 'first' and 'then': any",
        ),
        (
            (
                "first: {metric: door_open, where: door_open == 1}\n"
                "then: {metric: door_open, where: door_open >= 1}\n"
                "within: 1h\nsame: door\nmissing: true"
            ),
            "the same reading can be both 'first' and 'then': door_open 1",
        ),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: device\nspeed: 2", "nothing is elsewhere"),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential\nspeed: 0", "no speed in metres"),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential\nspeed: fast", "no speed in metres"),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: credential\ndifferent: door", "different: device"),
        (
            (
                "first: {metric: vehicle_entry}\nthen: {metric: vehicle_exit}\nwithin: 1h\n"
                "same: plate\nmissing: true\nspeed: 2"
            ),
            "'speed' of rule a.b: does not belong to what is missing",
        ),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: door\nclear: 1 == 1", "'clear' of rule a.b"),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: door\nno_data: alert", "'alert' is for thresholds"),
        (f"{FIRST}\n{THEN}\nwithin: 1h\nsame: door\nwatch: {{metric: spo2}}", "unknown key"),
        (FORCED.replace(", within: 10s", ""), "'without.within' of rule a.b: is missing"),
        (FORCED.replace("when: door_open == 1", ""), "'when' of rule a.b: is missing"),
        (FORCED.replace("same: door", "same: plate"), "'door_open' names no plate"),
        (FORCED.replace("access_granted,", "access_granted, here: 1,"), "'without.here'"),
        (FORCED.replace("{metric: access_granted, within: 10s}", "yes"), "is not a mapping"),
        (FORCED.replace("metric: door_open,", "metric: door_opn,"), "unknown metric 'door_opn'"),
    ],
)
def test_what_cannot_be_meant_is_refused(body: str, complaint: str) -> None:
    lines = "\n".join(f"  {line}" for line in body.splitlines())
    with pytest.raises(RulesError) as refused:
        load({"r.yaml": f"{HEAD}{lines}\n"})
    assert complaint in str(refused.value)


def test_replaced_cards_are_understood_and_written_back() -> None:
    body = "watch: {metric: access_granted}\nwhen: value == 1\nreplaced: 90d"
    plain = "watch: {metric: access_granted}\nreplaced: 30d"
    for original in (rule("x", body), rule("x", plain)):
        assert isinstance(original.condition, Replaced)
        (again,) = load({"test.yaml": write(original)})
        assert again.condition == original.condition
    with pytest.raises(RulesError, match="names no credential"):
        rule("x", "watch: {metric: door_open}\nreplaced: 30d")


def test_silence_is_held_by_default() -> None:
    assert rule("x", FORCED).no_data is NoData.HOLD
