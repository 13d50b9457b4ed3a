"""Rule files: every mistake at once, each with its place and what was meant."""

from pathlib import Path

import pytest

from devices.instant import HOUR, MINUTE
from rules.calendar import Active, MonthDay
from rules.errors import RulesError
from rules.loader import MAX_CHARACTERS, load
from rules.model import Absence, CountInWindow, NoData, Per, Rule, Severity, SubjectKind, Threshold
from rules.written import write
from tests.rules.community import KEY_RULES, RULES

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


@pytest.mark.parametrize("rule", [*RULES, *KEY_RULES, *load(library_files())], ids=lambda r: r.code)
def test_a_rule_written_out_reads_back_as_the_same(rule: Rule) -> None:
    (again,) = load({"w": write(rule)})
    assert again.fingerprint == rule.fingerprint
    assert (again.condition, again.watch, again.title) == (rule.condition, rule.watch, rule.title)
    assert (again.grades, again.active, again.severity) == (rule.grades, rule.active, rule.severity)
    assert (again.unless_away, set(again.unless)) == (rule.unless_away, set(rule.unless))


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
            "watch: {metric: motion}\nabsent: 3h\nunless: [household.away, Away]",
            (
                "r.yaml:7: 'unless' of rule a.b: 'Away' is not known"
                " (write 'household.away', the id of another rule, or a list of them)"
            ),
        ),
    ],
)
def test_says_the_mistake_its_place_and_what_was_meant(body: str, expected: str) -> None:
    assert problems_of(rule_text(body)) == [expected]


def graded(severity: str, body: str = "watch: {metric: spo2}\nwhen: spo2 <= 92") -> str:
    return rule_text(body, head=f"category: c\n  severity: {severity}")


def test_reads_the_keys_of_a_threshold_in_full() -> None:
    severity = "{yellow: spo2 <= 92, red: spo2 < 0.9 * device.usual}"
    body = (
        "watch: {metric: spo2}\nwhen: spo2 <= 92\nclear: spo2 >= 94\nno_data: clear\nkeep_for: 5m"
    )
    (rule,) = load({"r.yaml": graded(severity, body)})
    assert isinstance(rule.condition, Threshold)
    assert (rule.condition.keep, rule.no_data) == (5 * MINUTE, NoData.CLEAR)
    assert rule.severity is Severity.YELLOW
    assert [(g.severity, g.when.text) for g in rule.grades] == [
        (Severity.RED, "spo2 < 0.9 * device.usual"),
        (Severity.YELLOW, "spo2 <= 92"),
    ]


def test_reads_when_a_rule_is_active() -> None:
    rule = one(
        "watch: {metric: spo2}\nwhen: spo2 <= 92\n"
        'active: {hours: ["06:00-12:30", "22:00-06:00"], weekdays: [mon, fri-sun],'
        ' dates: ["05-01..05-03", "12-24..01-06", "2026-12-24"]}'
    )
    days = ((0, 5, 1), (0, 5, 3)), ((0, 12, 24), (0, 1, 6)), ((2026, 12, 24), (2026, 12, 24))
    assert rule.active == Active(
        hours=((360, 750), (1320, 360)),
        weekdays=frozenset({0, 4, 5, 6}),
        dates=tuple((MonthDay(*begin), MonthDay(*end)) for begin, end in days),
    )
    assert one('watch: {metric: sos}\nwhen: sos == 1\nactive: {hours: "18:00-24:00"}').active == (
        Active(hours=((1080, 1440),))
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{hours: 06:00}", "r.yaml:7: 'active.hours' of rule a.b: '06:00' is not a span of a day"),
        ('{hours: "06:00-25:00"}', "'06:00-25:00' is not a span of a day"),
        ('{hours: "06:60-07:00"}', "'06:60-07:00' is not a span of a day"),
        ('{hours: "06:00-06:00"}', "'06:00-06:00' begins when it ends"),
        ("{hours: []}", "the list is empty, so nothing would be active (leave it out)"),
        ("{weekdays: [mno]}", "'mno' is no day of the week or span of them (did you mean 'mon'?)"),
        ("{weekdays: 3}", "3 is not a text or a list of texts"),
        ('{dates: "02-30"}', "'02-30' is no date or span of dates"),
        ('{dates: "05-01..2026-05-03"}', "has a year on one side only"),
        ('{dates: "2026-05-03..2026-05-01"}', "ends before it begins"),
        ("{hour: 3}", "unknown key (did you mean 'hours'?)"),
        ("{}", "'active' of rule a.b: says nothing"),
    ],
)
def test_says_what_is_wrong_with_active_times(written: str, expected: str) -> None:
    body = f"watch: {{metric: spo2}}\nwhen: spo2 <= 91\nactive: {written}"
    (problem,) = problems_of(rule_text(body))
    assert expected in problem


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("{rde: spo2 <= 91}", "'severity.rde' of rule a.b: unknown key (did you mean 'red'?)"),
        ("{red: spo3 <= 91}", "'severity.red' of rule a.b: unknown name 'spo3'"),
        ("{red: spo2 <= 40}", "'spo2 <= 40' can never be true (spo2 lies between 50 and 100 %)"),
        ("{red: 91}", "91 is not a condition (write e.g. 'spo2 <= 91')"),
        ("{}", "'severity' of rule a.b: has no colour (write e.g. {orange: spo2 <= 91})"),
    ],
)
def test_says_what_is_wrong_with_colours(severity: str, expected: str) -> None:
    assert any(expected in problem for problem in problems_of(graded(severity)))


def test_texts_may_hold_placeholders_that_are_known() -> None:
    body = "watch: {metric: spo2}\nwhen: spo2 <= 91\n"
    advice = 'advice: {zh: "看 {valeu}", en: "See {place} at {since}"}'
    (problem,) = problems_of(rule_text(body + advice))
    expected = "'advice' of rule a.b: unknown placeholder '{valeu}' (did you mean 'value'?)"
    assert problem.endswith(expected)
    (problem,) = problems_of(rule_text(body + 'advice: {zh: "看", en: "{place}, {since}"}'))
    assert "says nothing but placeholders" in problem


def test_a_rule_may_say_how_to_tune_it_and_where_it_is_from() -> None:
    body = "watch: {metric: spo2}\nwhen: spo2 <= 91\n"
    more = "source: NEWS2\ntuning: {zh: 按医嘱, en: As the doctor says}"
    rule = one(body + more)
    assert (rule.basis["en"], rule.tuning["en"]) == ("NEWS2", "As the doctor says")
    assert rule.fingerprint == one(body).fingerprint
    assert load({"w": write(rule)})[0].tuning == rule.tuning


def unless(**rules: str) -> str:
    """Rules a.KEY that are kept quiet by others."""
    items = [
        rule_text(f"watch: {{metric: {'sos' if code == 'sos' else 'spo2'}}}\n{body}").replace(
            "a.b", f"a.{code}"
        )
        for code, body in rules.items()
    ]
    return "".join(items)


LOW = "when: spo2 <= 91"


def references(**rules: str) -> list[str]:
    with pytest.raises(RulesError) as caught:
        load({"r.yaml": unless(**rules)}, whole=True)
    return [str(problem) for problem in caught.value.problems]


def test_a_rule_may_be_kept_quiet_by_others_wherever_they_stand() -> None:
    files = {
        "one.yaml": unless(low=f"{LOW}\nunless: [household.away, a.lower]"),
        "two.yaml": unless(lower=LOW),
    }
    low, _ = load(files, whole=True)
    assert (low.unless_away, low.unless) == (True, ("a.lower",))
    assert load({"one.yaml": files["one.yaml"]})[0].unless == ("a.lower",), "one by one"


def test_a_rule_that_is_not_there_keeps_none_quiet() -> None:
    assert references(low=f"{LOW}\nunless: a.lowr", lower=LOW) == [
        "r.yaml:7: 'unless' of rule a.low: there is no rule 'a.lowr' (did you mean 'a.lower'?)"
    ]


def test_what_is_momentary_keeps_none_quiet() -> None:
    (problem,) = references(low=f"{LOW}\nunless: a.sos", sos="when: sos == 1")
    assert "each alert of 'a.sos' is of a moment: it never stands" in problem


def test_a_circle_is_named() -> None:
    (problem,) = references(
        one=f"{LOW}\nunless: a.two", two=f"{LOW}\nunless: a.three", three=f"{LOW}\nunless: a.one"
    )
    circles = [
        "a.one unless a.two unless a.three unless a.one",
        "a.two unless a.three unless a.one unless a.two",
        "a.three unless a.one unless a.two unless a.three",
    ]
    assert any(
        f"rules keep each other quiet: {c} (take one of them out)" in problem for c in circles
    )
    (problem,) = references(one=f"{LOW}\nunless: a.one")
    assert "the rule keeps itself quiet: a.one unless a.one" in problem


def test_every_circle_is_named() -> None:
    """Of those that share a rule one, for the other may be gone with it."""
    pairs = {"one": "two", "two": "one", "three": "four", "four": "three", "five": "five"}
    problems = references(**{a: f"{LOW}\nunless: a.{b}" for a, b in pairs.items()})
    assert len(problems) == 3
    for words in ("a.one unless", "a.three unless", "a.five unless a.five"):
        assert any(words in problem for problem in problems), problems


def test_a_colour_by_value_needs_a_value() -> None:
    (problem,) = problems_of(graded("{red: motion == 1}", "watch: {metric: motion}\nabsent: 3h"))
    assert problem.endswith("is by value, but this rule judges none (write one colour)")


@pytest.mark.parametrize(
    ("body", "hint"),
    [("absent: 3h", "leave it out"), ("within: 3h\nwhen: count >= 3", "leave it out")],
)
def test_what_is_not_measured_does_not_lapse_with_silence(body: str, hint: str) -> None:
    (problem,) = problems_of(rule_text(f"watch: {{metric: motion}}\n{body}\nno_data: clear"))
    assert problem.endswith(f"'clear' is for thresholds on what is measured or lasts ({hint})")


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
