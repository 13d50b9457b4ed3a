"""`library:` in a rule file: what is taken, left out and changed, and where mistakes are told."""

import pytest

from rules.errors import RulesError
from rules.loader import load
from rules.model import Rule, Severity
from rules.written import write

CARE = """\
# The library.

- id: care.low
  category: care
  watch: {metric: spo2}
  when: spo2 <= 91
  clear: spo2 >= 94
  for: 2m
  unless: household.away
  severity: red
  title: {zh: 低, en: 'Low: blood oxygen'}
  source: NEWS2
  tuning: {zh: 调, en: tune}

- id: care.sos
  category: care
  watch: {metric: sos}
  when: sos == 1
  severity: red
  title: {zh: 呼, en: SOS}
  source: {zh: 无, en: none}
"""
DOOR = """\
- id: access.open
  category: access
  watch: {metric: door_open}
  when: door_open == 1
  for: 60s
  severity: yellow
  title: {zh: 门, en: Door}
"""
LIBRARY = {"library/care.yaml": CARE, "library/access.yaml": DOOR}


def taken(text: str) -> dict[str, Rule]:
    return {rule.code: rule for rule in load({"rules/site.yaml": text}, LIBRARY)}


def problems(text: str) -> list[str]:
    with pytest.raises(RulesError) as raised:
        taken(text)
    return list(map(str, raised.value.problems))


def test_all_rules_of_a_file_are_taken_with_their_place_in_the_library() -> None:
    rules = taken("- library: care\n")
    assert {code: (r.source, r.line) for code, r in rules.items()} == {
        "care.low": ("library/care.yaml", 3),
        "care.sos": ("library/care.yaml", 15),
    }
    own = {rule.code: rule for rule in load({"library/care.yaml": CARE})}
    assert rules == own


def test_of_several_files_in_the_order_asked_for_with_rules_of_the_site_around() -> None:
    own = DOOR.replace("access.open", "access.own")
    rules = taken(f"{own}- library: [access, care]\n")
    assert list(rules) == ["access.own", "access.open", "care.low", "care.sos"]


def test_left_out_is_left_out() -> None:
    assert list(taken("- library: care\n  without: care.sos\n")) == ["care.low"]
    assert taken("- library: care\n  without: [care.sos, care.low]\n") == {}


def test_changed_keys_replace_those_of_the_library_and_null_takes_one_away() -> None:
    change = "  change:\n    care.low: {for: 5m, severity: orange, clear: null, unless: null}\n"
    rule = taken(f"- library: care\n{change}")["care.low"]
    own = taken("- library: care\n")["care.low"]
    expected = CARE.replace("2m", "5m").replace("red", "orange", 1)
    expected = expected.replace("  clear: spo2 >= 94\n  for", "  for")
    expected = expected.replace("  unless: household.away\n", "")
    meant = load({"x.yaml": expected})[0]
    assert rule.fingerprint == meant.fingerprint != own.fingerprint
    assert (rule.severity, rule.title, rule.tuning) == (Severity.ORANGE, own.title, own.tuning)
    assert (rule.source, rule.line) == (own.source, own.line)


def test_the_text_of_a_changed_rule_is_that_in_force() -> None:
    title = "{zh: 'true', en: '2026-01-01: \"x\", # [y] 1e5'}"
    rule = taken(f"- library: care\n  change:\n    care.low: {{title: {title}}}\n")["care.low"]
    (again,) = load({"stored": rule.text})
    assert again.fingerprint == rule.fingerprint
    assert again.title == rule.title == {"zh": "true", "en": '2026-01-01: "x", # [y] 1e5'}
    assert again.basis == rule.basis == {"zh": "NEWS2", "en": "NEWS2"}


def test_source_and_tuning_do_not_change_what_a_rule_means() -> None:
    change = "  change:\n    care.low: {source: somebody, tuning: {zh: 甲, en: b}}\n"
    rule, own = (
        taken(f"- library: care\n{change}")["care.low"],
        taken("- library: care\n")["care.low"],
    )
    assert rule.fingerprint == own.fingerprint
    assert (rule.basis["en"], rule.tuning["zh"]) == ("somebody", "甲")
    (again,) = load({"as data": write(rule)})
    assert (again.basis, again.tuning) == (rule.basis, rule.tuning)


def test_mistakes_are_told_at_their_lines_in_the_site() -> None:
    text = """\
- library: [care, acces, care]
  without: [care.soz]
  but: 1
  change:
    care.low:
      for: 5x
      whenn: spo2 <= 90
      id: care.other
    care.none: {for: 1m}
    care.sos:
"""
    assert [line.partition(": ")[0] for line in problems(text)] == [
        *["rules/site.yaml:1"] * 2,
        "rules/site.yaml:2",
        "rules/site.yaml:3",
        "rules/site.yaml:6",
        "rules/site.yaml:7",
        "rules/site.yaml:8",
        "rules/site.yaml:9",
        "rules/site.yaml:10",
    ]


def test_a_change_that_makes_no_sense_is_told_at_its_line() -> None:
    (problem,) = problems("- library: care\n  change:\n    care.low:\n      clear: spo2 >= 90\n")
    assert problem.startswith("rules/site.yaml:4: 'clear' of rule care.low of the library: ")
    assert "contradicts 'when'" in problem


def test_what_a_change_leaves_missing_is_told_at_the_rule_in_it() -> None:
    (problem,) = problems("- library: care\n  change:\n    care.low:\n      when: null\n")
    assert problem.startswith(
        "rules/site.yaml:4: 'when' of rule care.low of the library: is missing"
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- library: car\n", "no such file: 'car' (did you mean 'care'?)"),
        ("- library: []\n", "the list is empty (write one of access, care)"),
        ("- library: care\n  without: care.soz\n", "did you mean 'care.sos'?"),
        ("- library: care\n- library: care\n", "'care.low' is already used"),
        ("- library: access\n" + DOOR, "'access.open' is already used"),
        ("- library: care\n  change: 5\n", "5 is not a mapping"),
        ("- library: care\n  change: {care.low: 5}\n", "5 is not a mapping"),
        (
            "- library: care\n  without: care.low\n  change: {care.low: {for: 1m}}\n",
            "is left out by 'without' too",
        ),
    ],
)
def test_a_mistake_says_what_to_do(text: str, hint: str) -> None:
    told = problems(text)
    assert hint in told[0]
    assert all(line.startswith("rules/site.yaml:") for line in told)


def test_without_a_library_there_is_nothing_to_take() -> None:
    with pytest.raises(RulesError, match="no such file: 'care'"):
        load({"rules/site.yaml": "- library: care\n"})
