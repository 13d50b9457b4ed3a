"""The JSON Schema of rule files: whole, as committed, and of one mind with the loader."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from devices.document import Data, scan
from rules.conditions import CONDITION_KEYS
from rules.errors import RulesError
from rules.inclusion import LIBRARY
from rules.loader import KEYS, load
from rules.schema import OF_KEYS, as_text, rule_file_schema
from tests.docs.pages import examples

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "rules" / "rules.schema.json"
VALIDATOR = Draft202012Validator(rule_file_schema())
HEAD = "- id: a.b\n  category: care\n  severity: red\n  title: {zh: 名, en: n}\n"


def wrong(text: str) -> list[str]:
    """What the schema has against this file."""
    return [error.message for error in VALIDATOR.iter_errors(plain(text))]


def plain(text: str) -> Data:
    """As rule files are read: dates and times of day are texts."""
    data, _, problems = scan("x.yaml", text)
    assert problems == []
    return data


def files() -> Iterator[tuple[str, str]]:
    for folder in ("rules/library", "examples/site/rules"):
        for path in sorted((ROOT / folder).glob("*.yaml")):
            yield f"{folder}/{path.name}", path.read_text("utf-8")
    for number, example in enumerate(examples("docs/rules.md")):
        if example.language == "yaml":
            yield f"docs/rules.md, example {number}", example.text


def test_it_is_a_schema_and_the_committed_one() -> None:
    Draft202012Validator.check_schema(rule_file_schema())
    assert COMMITTED.read_text("utf-8") == as_text()


def test_it_knows_every_key_that_is_read() -> None:
    assert set(OF_KEYS) == KEYS | CONDITION_KEYS
    assert all(set(schema) & {"description"} for schema in OF_KEYS.values())


@pytest.mark.parametrize("text", dict(files()).values(), ids=dict(files()).keys())
def test_it_accepts_every_rule_that_we_have(text: str) -> None:
    assert wrong(text) == []


@pytest.mark.parametrize(
    "body",
    [
        "watch: {metric: spo3}\n  when: spo3 <= 91",
        "watch: {metric: spo2}\n  when: spo2 <= 91\n  absent: 3h\n  keep_for: 1m",
        "watch: {metric: spo2}\n  wen: spo2 <= 91",
        "when: spo2 <= 91",
        "watch: {metric: spo2}\n  when: spo2 <= 91\n  for: ten minutes",
        "watch: {metric: spo2}\n  when: spo2 <= 91\n  no_data: alarm",
        "watch: {metric: spo2, room: 3}\n  when: spo2 <= 91",
        "score: news3\n  when: total > 5",
        "first: {metric: sos}\n  then: {metric: motions}\n  within: 5m\n  same: household",
        "watch: {metric: smoke}\n  devices: no\n  within: 9m\n  when: smoke == 1\n  per: grid",
        "watch: {metric: spo2}\n  when: spo2 <= 91\n  active: {hour: 8-9}",
    ],
)
def test_what_it_refuses_the_loader_refuses_too(body: str) -> None:
    text = f"{HEAD}  {body}\n"
    assert wrong(text)
    with pytest.raises(RulesError):
        load({"x.yaml": text})


def test_what_is_taken_from_the_library_has_its_own_keys() -> None:
    assert (
        wrong(f"- {LIBRARY}: care\n  without: [care.fall]\n  change: {{care.sos: {{for: 5m}}}}\n")
        == []
    )
    assert wrong(f"- {LIBRARY}: care\n  witout: [care.fall]\n")
