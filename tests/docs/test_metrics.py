"""docs/metrics.md has one row for each metric, as the code has it; its examples name real ones."""

import re
from typing import Any

import yaml

from gridwarden.metrics import TOLD
from tests.docs.pages import read

PAGE = "docs/metrics.md"
NAME = re.compile(r"\bgridwarden_[a-z_]+")
PRIVATE = {"device", "household", "member", "topic", "community", "address"}


def test_every_metric_is_documented() -> None:
    rows = [line for line in read(PAGE).splitlines() if line.startswith("| `gridwarden_")]
    assert rows == [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels)} | {about} |"
        for name, (kind, labels, about) in TOLD.items()
    ]


def test_no_label_names_a_thing_or_a_person() -> None:
    assert {label for _kind, labels, _about in TOLD.values() for label in labels} & PRIVATE == set()


def test_the_examples_are_yaml_and_name_metrics_that_exist() -> None:
    scrape, rules = (yaml.safe_load(text) for text in _examples())
    assert scrape["scrape_configs"][0]["job_name"] == "gridwarden"
    found: list[dict[str, Any]] = rules["groups"][0]["rules"]
    assert len(found) == 3
    for rule in found:
        assert set(NAME.findall(rule["expr"])) <= set(TOLD)


def _examples() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", read(PAGE), flags=re.DOTALL)
