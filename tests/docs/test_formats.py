"""docs/formats.md names every format and the metrics that their published messages give."""

import re
from pathlib import Path

import pytest

from devices import formats
from devices.formats.explain import explain
from devices.metric import BY_NAME
from tests.formats.fuzz import seeds

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text("utf-8")
GIVES = {
    name: set(re.findall(r"`([a-z0-9_]+)`", metrics))
    for name, metrics in re.findall(r"^\| ([a-z0-9]+) \| (`.*) \|$", PAGE, re.MULTILINE)
}
ELSEWHERE = {"native", "lorawan"}
"""Formats whose metrics stand on pages of their own."""


def test_every_format_stands_in_the_table() -> None:
    named = re.findall(r"^\| `([a-z0-9]+)` \|", PAGE, re.MULTILINE)
    assert sorted(named) == sorted(formats.BY_NAME)


def test_the_metrics_of_every_format_are_named_and_known() -> None:
    assert GIVES.keys() == formats.BY_NAME.keys() - ELSEWHERE
    for name, metrics in GIVES.items():
        assert metrics <= BY_NAME.keys(), name
        assert metrics, name


@pytest.mark.parametrize("name", sorted(GIVES))
def test_what_messages_give_is_named(name: str) -> None:
    found: set[str] = set()
    for topic, payload in seeds(name):
        said = explain(formats.BY_NAME[name], topic, payload)
        found |= {reading["metric"] for reading in said.get("readings", [])}
        found |= {event["kind"] for event in said.get("events", [])}
    assert found - {"attributes"} <= GIVES[name]
