"""The rendered pages: committed, complete in both languages, nothing on top of anything."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest

from alerts.model import AlertState, RouteReason
from dashboards.build import RENDERED, drift, load_queries, main, render
from dashboards.pages import PANELS
from dashboards.panels import COLOURS
from dashboards.text import MESSAGES, Language, text, words
from devices.errors import RejectReason
from devices.kind import BY_NAME as KINDS
from rules.model import Severity

QUERIES = load_queries()
PAGES = {name: json.loads(rendered) for name, rendered in render(QUERIES).items()}
SHOWN = {"title", "description", "label", "text", "noValue"}
HAN = re.compile(r"[\u4e00-\u9fff]")
WARNING_COLOURS = {"red": "#D55E00", "orange": "#E69F00", "yellow": "#F0E442", "blue": "#56B4E9"}

each_page = pytest.mark.parametrize("page", PAGES.values(), ids=list(PAGES))


def test_committed_pages_have_not_drifted() -> None:
    assert drift(render(QUERIES), RENDERED) == []


def test_check_names_what_drifted_and_writing_mends_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--folder", str(tmp_path)]) == 0
    assert main(["--check", "--folder", str(tmp_path)]) == 0
    (tmp_path / "gridwarden-community-en.json").write_text("{}")
    (tmp_path / "gridwarden-community-zh.json").rename(tmp_path / "old.json")
    assert main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    for sentence in ("-en.json has drifted", "-zh.json is missing", "old.json is of no page"):
        assert sentence in said
    assert main(["--folder", str(tmp_path)]) == 0
    assert drift(render(QUERIES), tmp_path) == []


@each_page
def test_panel_ids_are_unique_and_in_order(page: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in page["panels"]]
    assert ids == list(range(1, len(PANELS) + 1))


@each_page
def test_no_panel_overlaps_another_or_leaves_the_grid(page: dict[str, Any]) -> None:
    cells = [set(_cells(panel["gridPos"])) for panel in page["panels"]]
    assert all(a.isdisjoint(b) for a, b in itertools.combinations(cells, 2))
    assert all(0 <= x < 24 for x, _ in set().union(*cells))


@each_page
def test_panels_fill_the_page_without_holes(page: dict[str, Any]) -> None:
    cells = set().union(*(_cells(panel["gridPos"]) for panel in page["panels"]))
    assert len(cells) == 24 * (1 + max(y for _, y in cells))


@each_page
def test_every_query_is_a_file_that_the_query_tests_run(page: dict[str, Any]) -> None:
    used = [target["rawSql"] for panel in page["panels"] for target in panel["targets"]]
    used += [v["query"] for v in page["templating"]["list"] if v["type"] == "query"]
    assert sorted(used) == sorted(QUERIES.values())


@each_page
def test_every_column_in_the_sql_of_a_panel_is_named_in_words(page: dict[str, Any]) -> None:
    for panel in page["panels"]:
        sql = panel["targets"][0]["rawSql"]
        named = {o["matcher"]["options"] for o in panel["fieldConfig"]["overrides"]}
        assert all(re.search(rf"\b{column}\b", sql) for column in named), panel["title"]


def test_every_text_exists_in_both_languages() -> None:
    for key, (zh, en) in MESSAGES.items():
        assert zh.strip(), key
        assert en.strip(), key
    only_english = [key for key, (zh, _) in MESSAGES.items() if not HAN.search(zh)]
    with_chinese = [key for key, (_, en) in MESSAGES.items() if HAN.search(en)]
    assert only_english == with_chinese == ["page.other_language"]


@pytest.mark.parametrize("language", list(Language))
def test_what_people_read_is_in_the_pages_language(language: Language) -> None:
    page = PAGES[f"gridwarden-community-{language.value}.json"]
    other = Language.EN if language is Language.ZH else Language.ZH
    foreign = {text(key, other) for key in MESSAGES} - {text(key, language) for key in MESSAGES}
    seen = _visible(page)
    assert len(seen) > 100
    assert sorted(set(seen) & foreign) == []


@pytest.mark.parametrize(
    ("prefix", "values"),
    [
        ("severity", [s.value for s in Severity]),
        ("reason", [r.value for r in RejectReason]),
        ("kind", list(KINDS)),
        ("route", [r.value for r in RouteReason]),
        ("state", [s.value for s in AlertState if s.standing]),
    ],
)
def test_every_value_of_the_vocabulary_has_words(prefix: str, values: list[str]) -> None:
    assert set(values) <= set(words(prefix, Language.EN))


def test_every_reason_of_rejection_has_a_column() -> None:
    assert all(f"AS {reason.value}" in QUERIES["rejected"] for reason in RejectReason)


def test_severities_have_the_colours_that_the_colour_blind_can_tell() -> None:
    assert {severity: COLOURS[severity] for severity in WARNING_COLOURS} == WARNING_COLOURS


def test_a_days_time_is_the_communitys() -> None:
    assert {page["timezone"] for page in PAGES.values()} == {"Asia/Shanghai"}


def _cells(place: dict[str, int]) -> list[tuple[int, int]]:
    columns = range(place["x"], place["x"] + place["w"])
    return list(itertools.product(columns, range(place["y"], place["y"] + place["h"])))


def _visible(value: object) -> list[str]:
    if isinstance(value, dict):
        if value.get("id") == "displayName":
            return [value["value"]]
        own = [each for key, each in value.items() if key in SHOWN and isinstance(each, str)]
        return own + [text for each in value.values() for text in _visible(each)]
    return [text for each in value for text in _visible(each)] if isinstance(value, list) else []
