"""docs/rules-testing.md: its examples work, and it names every key that a test file may have."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from devices.document import scan
from devices.site.inline import read_place
from gridwarden.cli import app
from rules.testing import case, expected, said, suite
from tests.docs.pages import examples, read
from tests.rules.testing import place

PAGE = "docs/rules-testing.md"
EXAMPLES = {e.words[0]: e.text for e in examples(PAGE)}


@pytest.fixture
def test_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's first example, with the first rule of docs/rules.md, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "care.yaml").write_text(examples("docs/rules.md")[0].text, "utf-8")
    file = tmp_path / "care.yaml"
    file.write_text(EXAMPLES["test"], "utf-8")
    return file


def call() -> str:
    """What the command says of care.yaml in the current folder."""
    return CliRunner().invoke(app, ["rules", "test", "care.yaml"]).output


def test_the_example_passes(test_file: Path) -> None:
    assert call().startswith("care.yaml: 1 of 1 passed\n")


def test_a_difference_looks_as_the_page_says(test_file: Path) -> None:
    text = EXAMPLES["test"].replace("from: 7m", "from: 8m").replace("to: wang-fang", "to: []")
    test_file.write_text(text, "utf-8")
    said, _, _ = call().rpartition("0 passed, 1 failed")
    assert f"```\n{said}```" in read(PAGE)


def test_the_place_is_sound() -> None:
    data, lines, problems = scan("place.yaml", EXAMPLES["place"])
    assert isinstance(data, dict)
    site = read_place("place.yaml", data, lines, "UTC", problems)
    assert problems == []
    assert site is not None
    assert site.path("b1") == ("b1", "grid-1", "community")


def test_readings_and_checks_are_sound() -> None:
    body = f"readings:\n{EXAMPLES['readings']}at:\n{EXAMPLES['at']}"
    body = body.replace("care.spo2_low", "c.low")
    (read_case,), _, problems = place.read(place.one(body))
    assert problems == []
    assert len(read_case.said) == 4
    assert len(read_case.checks) == 3


def test_every_key_is_explained() -> None:
    page = read(PAGE)
    keys = suite.KEYS | case.KEYS | expected.ALERT_KEYS | expected.CHECK_KEYS | said.READING_KEYS
    assert [key for key in sorted(keys) if f"`{key}`" not in page and f"{key}:" not in page] == []
