"""Rule files: every mistake at once, each with its place and what was meant."""

from pathlib import Path

import pytest

from devices.instant import HOUR, MINUTE
from rules.errors import RulesError
from rules.loader import MAX_CHARACTERS, load
from rules.model import Absence, CountInWindow, NoData, Per, Rule, Severity, SubjectKind, Threshold
from rules.written import write
from tests.rules.community import RULES

LIBRARY = Path(__file__).parents[2] / "rules" / "library"

GOOD = """\
# our rules
- id: care.spo2_low
  category: care
  watch: {metric: spo2, household: {care: true}, kind: [wearable, vital_signs], area: g1}
  when: spo2 <= 91
  clear: spo2 >= 94
  for: 2m
  no_data: hold
  severity: red
  unless: household.away
  title: {zh: 血氧过低, en: Low blood oxygen}
  advice: {zh: 联系, en: Call}

# the next
- id: access.denied
  category: access
  watch: {metric: access_denied}
  when: count > 4
  within: 10m
  per: building
  severity: orange
  title: {zh: 被拒, en: Denied}
"""


def library_files() -> dict[str, str]:
    return {p.name: p.read_text("utf-8") for p in sorted(LIBRARY.glob("*.yaml"))}


def problems_of(text: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        load({"r.yaml": text})
    return [str(problem) for problem in caught.value.problems]


def one(body: str) -> Rule:
    (rule,) = load({"r.yaml": rule_text(body)})
    return rule


def rule_text(body: str, *, head: str = "category: c\n  severity: red") -> str:
    lines = "".join(f"  {line.strip()}\n" for line in body.splitlines())
    return f"- id: a.b\n  {head}\n  title: {{zh: 题, en: t}}\n{lines}"


def test_reads_a_threshold_with_its_filters_and_its_own_lines() -> None:
    rule, _ = load({"r.yaml": GOOD})
    assert isinstance(rule.condition, Threshold)
    assert rule.condition.when.text == "spo2 <= 91"
    assert rule.condition.clear is not None
    assert rule.condition.lasting == 2 * MINUTE
    assert rule.watch.kinds == {"wearable", "vital_signs"}
    assert rule.watch.care is True
    assert rule.watch.areas == {"g1"}
    assert (rule.severity, rule.no_data, rule.unless_away) == (Severity.RED, NoData.HOLD, True)
    assert rule.title == {"zh": "血氧过低", "en": "Low blood oxygen"}
    assert (rule.source, rule.line) == ("r.yaml", 2)
    assert rule.text.startswith("- id: care.spo2_low\n")
    assert rule.text.endswith("advice: {zh: 联系, en: Call}")


def test_reads_a_count_and_an_absence() -> None:
    count = load({"r.yaml": GOOD})[1].condition
    assert count == CountInWindow(5, 10 * MINUTE, None, Per(SubjectKind.AREA, "building"))
    absence = one("watch: {metric: motion}\nabsent: 12h\nper: household").condition
    assert absence == Absence(None, 12 * HOUR, Per(SubjectKind.HOUSEHOLD))


def test_the_library_has_no_mistakes() -> None:
    rules = load(library_files())
    assert len(rules) >= 15
    assert all(rule.advice for rule in rules)


@pytest.mark.parametrize("rule", [*RULES, *load(library_files())], ids=lambda r: r.code)
def test_a_rule_written_out_reads_back_as_the_same(rule: Rule) -> None:
    (again,) = load({"w": write(rule)})
    assert again.fingerprint == rule.fingerprint
    assert (again.condition, again.watch, again.title) == (rule.condition, rule.watch, rule.title)


def test_the_fingerprint_is_of_the_meaning_alone() -> None:
    same = (
        GOOD.replace("spo2 <= 91", "(spo2<=91.0)")
        .replace("# our rules", "")
        .replace("Low blood oxygen", "Oxygen low")
    )
    other = GOOD.replace("spo2 <= 91", "spo2 <= 90")
    prints = [load({"r.yaml": text})[0].fingerprint for text in (GOOD, same, other)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            "watch: {metric: spo3}\nwhen: value <= 91",
            "r.yaml:5: 'watch.metric' of rule a.b: unknown metric 'spo3' (did you mean 'spo2'?)",
        ),
        (
            "watch: {metric: spo2}\nwhen: pulse <= 91",
            (
                "r.yaml:6: 'when' of rule a.b: unknown name 'pulse' (column 1 of 'pulse <= 91')"
                " (one of 'spo2', 'value')"
            ),
        ),
        (
            "watch: {metric: spo2}\nwhen: spo2 <= 91\nfor: 120",
            (
                "r.yaml:7: 'for' of rule a.b: '120' is not a duration; write a number and ms, s,"
                " m, h, d or w, e.g. '10m' (write e.g. '120s' or '120m')"
            ),
        ),
        (
            "watch: {metric: spo2}\nwhen: spo2 <= 91\nfor: 9000h",
            "r.yaml:7: 'for' of rule a.b: 9000h is impossible; it must be 0s to 366d",
        ),
        (
            "watch: {metric: spo2}\nwhen: spo2 <= 91\nclear: spo2 >= 90",
            (
                "r.yaml:7: 'clear' of rule a.b: contradicts 'when': spo2 90 would both raise"
                " and clear the alert (leave a distance between the two)"
            ),
        ),
        (
            (
                "watch: {metric: parking_free}\nwhen: value < 0.1 * device.capacity\n"
                "clear: value > 0.05 * device.capacity"
            ),
            (
                "r.yaml:7: 'clear' of rule a.b: contradicts 'when': parking_free 6,"
                " device.capacity 100 would both raise and clear the alert"
                " (leave a distance between the two)"
            ),
        ),
        (
            "watch: {metric: spo2}\nwhen: spo2 <= 40",
            (
                "r.yaml:6: 'when' of rule a.b: 'spo2 <= 40' can never be true"
                " (spo2 lies between 50 and 100 %)"
            ),
        ),
        (
            "watch: {metric: sos}\nwhen: sos == 1\nclear: sos == 0",
            (
                "r.yaml:7: 'clear' of rule a.b: 'sos' is momentary: each is an alert of its own,"
                " which a person ends (leave it out)"
            ),
        ),
        (
            "watch: {metric: spo2}\nwhen: spo2 <= 91\nabsnt: 3h",
            "r.yaml:7: 'absnt' of rule a.b: unknown key (did you mean 'absent'?)",
        ),
        (
            "watch: {metric: spo2}\nwhen: count >= 0\nwithin: 1m",
            (
                "r.yaml:6: 'when' of rule a.b: 'count >= 0' is not a number of readings to reach"
                " (write 'count >= N' with N from 1 to 1000; conditions go into 'where')"
            ),
        ),
        (
            "watch: {metric: motion}\nabsent: 3h\nper: building",
            (
                "r.yaml:7: 'per' of rule a.b: 'building' cannot be the subject"
                " (write device or household)"
            ),
        ),
        (
            "watch: {metric: motion, kind: motoin_sensor}\nabsent: 3h",
            (
                "r.yaml:5: 'watch.kind' of rule a.b: unknown kind of device 'motoin_sensor'"
                " (did you mean 'motion_sensor'?)"
            ),
        ),
        (
            "watch: {metric: motion}\nabsent: 3h\nfor: 3m",
            (
                "r.yaml:7: 'for' of rule a.b: does not belong to an absence ('absent')"
                " (it has absent, per, when)"
            ),
        ),
        (
            "watch: {metric: motion}\nabsent: 3h\nno_data: alert",
            (
                "r.yaml:7: 'no_data' of rule a.b: 'alert' is for thresholds on what is measured or"
                " lasts (write a rule of its own: absent: …, without 'when')"
            ),
        ),
        (
            "watch: {metric: motion}\nabsent: 3 intervals\nper: household",
            (
                "r.yaml:6: 'absent' of rule a.b: '3 intervals' are of one device, and a household"
                " may have several (write a duration, e.g. 12h, or per: device)"
            ),
        ),
        (
            "watch: {metric: motion}\nabsent: 3h\nunless: away",
            (
                "r.yaml:7: 'unless' of rule a.b: 'away' is not known"
                " (the one exception is 'household.away')"
            ),
        ),
    ],
)
def test_says_the_mistake_its_place_and_what_was_meant(body: str, expected: str) -> None:
    assert problems_of(rule_text(body)) == [expected]


def test_silence_is_refused_as_a_reason_to_clear_and_says_why() -> None:
    body = "watch: {metric: spo2}\nwhen: spo2 <= 91\nno_data: clear"
    (problem,) = problems_of(rule_text(body))
    assert "silence never clears an alert" in problem


def test_two_hundred_mistakes_are_two_hundred_problems() -> None:
    item = "- id: a.r{}\n  category: c\n  severity: rde\n  title: {{zh: 题, en: t}}\n"
    item += "  watch: {{metric: spo3}}\n  when: value < 3\n"
    assert len(problems_of("".join(item.format(i) for i in range(100)))) == 200


def test_a_code_used_twice_is_refused_also_across_files() -> None:
    with pytest.raises(RulesError) as caught:
        load({"one.yaml": GOOD, "two.yaml": GOOD})
    assert [str(p) for p in caught.value.problems] == [
        (
            "two.yaml:2: 'id' of rule care.spo2_low: 'care.spo2_low' is already used"
            " (the first is at one.yaml:2)"
        ),
        (
            "two.yaml:15: 'id' of rule access.denied: 'access.denied' is already used"
            " (the first is at one.yaml:15)"
        ),
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a: [", "not readable as YAML"),
        ("a: b", "a rule file is a list of rules, not a mapping"),
        ("- hello", "a rule is a mapping, not 'hello'"),
        ("- {}", "a rule without anything in it"),
        ("- &a {id: x}", "anchor '&a' is not allowed"),
        ("- id: a.b", "'watch' of rule a.b: is missing"),
        ("- id: A b\n  watch: 3", "'A b' is not a code"),
        ("- id: [1]\n  when: [2]\n  title: x\n  watch: {metric: 3}", "[2] is not a condition"),
        ("x" * (MAX_CHARACTERS + 1), "characters, more than"),
    ],
)
def test_what_is_no_rule_file_is_said_to_be_none(text: str, what: str) -> None:
    assert any(what in problem for problem in problems_of(text))


def test_no_files_are_no_rules() -> None:
    assert load({}) == load({"empty.yaml": "# nothing yet\n"}) == ()
