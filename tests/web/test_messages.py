"""Every message exists in both languages, none is missing, none is left over."""

import re
import string
from enum import Enum
from pathlib import Path

import pytest
import yaml

import alerts.web
from alerts.lifecycle import Reason
from alerts.model import AlertState, Outcome, RouteReason
from alerts.relevance import Dropped
from alerts.web.language import LANGUAGES, Speaker, choose, table
from rules.model import Severity
from rules.transition import Cause

HERE = Path(alerts.web.__file__).parent
EXAMPLE = Path(__file__).parents[2] / "examples" / "site"
SAID = re.compile(r"""\bsay\(\s*["']([a-z_.]+)["']""")
NAMED = re.compile(r"""["']((?:time|sign_in)\.(?!html)[a-z_]+)["']""")
TOPIC = re.compile(r'_say\(request, \d+, "([a-z_]+)"\)')

ROLES = {"grid_member", "grid_leader", "duty_officer", "police", "fire", "medical", "property"}
NO_HISTORY = {"repeated", "nothing_standing", "already_silent", "not_silent", "same_severity"}
REFUSED = {Reason.ALREADY_YOURS, Reason.TAKEN_BY_ANOTHER, Reason.STAYS_CLEARED, Reason.STAYS_CLOSED}
DONE = {Reason.ACKNOWLEDGED, Reason.CLOSED}


def values(kind: type[Enum]) -> set[str]:
    """The values of an enumeration."""
    return {str(member.value) for member in kind}


ANSWERED = REFUSED | DONE | {Reason.ALREADY_CLOSED}
ENDED_BY_RULES = {"rule_changed", "rule_removed", "subject_removed"}
HISTORY = {
    *("opened", "fired_again", "cleared", "withdrawn", "went_silent", "heard_again"),
    "severity_changed",
    *("routed", "handed_on", "acknowledged", "closed", "answered"),
}


def example_roles() -> set[str]:
    """The roles that people have in the example site."""
    duties = yaml.safe_load((EXAMPLE / "duties.yaml").read_text(encoding="utf-8"))
    return {duty["role"] for duty in duties}


FAMILIES = {
    "severity": values(Severity),
    "state": values(AlertState),
    "outcome": values(Outcome) | ENDED_BY_RULES,
    "hint": values(Outcome),
    "cause": values(Cause) | values(RouteReason),
    "event": HISTORY,
    "reply": {reason.value for reason in ANSWERED},
    "role": ROLES | example_roles(),
    "channel": {"web", "mqtt"},
    "occasion": {"opened", "again", "graver", "handed_on"},
    "dropped": values(Dropped),
    "answer": values(AlertState) - {AlertState.OPEN.value},
    "app.language": set(LANGUAGES),
}


def sources() -> str:
    """All templates and code of the inbox."""
    files = [*HERE.glob("*.py"), *HERE.glob("templates/*.html")]
    return "\n".join(f.read_text(encoding="utf-8") for f in files)


def used() -> set[str]:
    """Every key that templates and code say, by name or as a member of a family."""
    text = sources()
    keys = {*SAID.findall(text), *NAMED.findall(text)}
    keys |= {f"{topic}.{part}" for topic in TOPIC.findall(text) for part in ("title", "text")}
    return keys | {f"{family}.{m}" for family, members in FAMILIES.items() for m in members}


def test_what_is_said_is_in_the_table_and_nothing_else_is() -> None:
    assert used() == set(table())


def test_every_family_that_is_spoken_of_is_known_here() -> None:
    calls = re.findall(r"say\.of\(([^,]+),", sources())
    spoken = {family for call in calls for family in re.findall(r'"([a-z_.]+)"', call)} - {"closed"}
    assert spoken <= FAMILIES.keys()
    assert FAMILIES.keys() - spoken == {"reply"}, "which is said through its prefix"


@pytest.mark.parametrize("key", sorted(table()))
def test_both_languages_say_it_with_the_same_parts(key: str) -> None:
    texts = table()[key]
    assert set(texts) == set(LANGUAGES)
    assert all(texts.values())
    parts = [
        {name for _, name, _, _ in string.Formatter().parse(t) if name} for t in texts.values()
    ]
    allowed = {"time.date": {"month", "name"}, "time.date_with_year": {"month", "name"}}
    assert parts[0] ^ parts[1] <= allowed.get(key, set())


def test_the_lifecycles_reasons_are_all_accounted_for() -> None:
    answered = {reason.value for reason in ANSWERED}
    of_others = {"routed", "handed_on", "answered"}
    assert values(Reason) == HISTORY - of_others | answered | NO_HISTORY | {"note_needed"}


def test_a_word_of_a_newer_service_is_shown_as_it_is() -> None:
    assert Speaker("zh").of("cause", "moon_phase") == "moon_phase"


def test_a_name_that_lacks_a_language_is_shown_in_the_other() -> None:
    assert Speaker("en").name({"zh": "一号楼"}) == "一号楼"
    assert Speaker("en").name(None) == ""


@pytest.mark.parametrize(
    ("wishes", "header", "language"),
    [
        (["en", "zh"], "", "en"),
        ([None, "zh"], "en", "zh"),
        (["fr"], "en-US", "en"),
        ([], "de, en;q=0.1", "en"),
        ([], "en;q=0, zh;q=0.1", "zh"),
        ([], "en;q=x", "zh"),
        ([], "", "zh"),
    ],
)
def test_the_first_wish_that_we_speak_counts(
    wishes: list[str | None], header: str, language: str
) -> None:
    assert choose(wishes, header) == language
