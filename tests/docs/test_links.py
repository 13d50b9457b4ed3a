"""What the documentation names exists: files, commands, make targets, modules in the pictures."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer.main
from typer.core import TyperGroup

from gridwarden.cli import app
from tests.docs.pages import PAGES, ROOT, read

LINK = re.compile(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"")
MAKE = re.compile(r"^(?:make|`make) ([a-z-]+)|`make ([a-z-]+)", flags=re.MULTILINE)
COMMAND = re.compile(r"(?:^|`|run --rm )gridwarden ([a-z][a-z -]*[a-z])", flags=re.MULTILINE)
FILE = re.compile(r">((?:[a-z]+/)+(?:[a-z_]+\.py)?)<")
TARGETS = set(re.findall(r"^([a-z-]+):", read("Makefile"), flags=re.MULTILINE))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    links = [urlsplit(a or b) for a, b in LINK.findall(page.read_text("utf-8"))]
    inside = [link.path for link in links if not link.scheme and link.path]
    assert [path for path in inside if not (page.parent / path).exists()] == []


@each_page
def test_make_targets_exist(page: Path) -> None:
    assert _targets(page.read_text("utf-8")) <= TARGETS


@each_page
def test_commands_exist(page: Path) -> None:
    for words in COMMAND.findall(page.read_text("utf-8")):
        assert _is_command(typer.main.get_command(app), words.split()), f"gridwarden {words}"


def test_the_checks_above_see_something() -> None:
    readme = read("README.md")
    assert _targets(readme) == {"demo", "setup", "test"}
    assert len(COMMAND.findall(readme)) == 6
    assert len(LINK.findall(readme)) > 20
    assert not _is_command(typer.main.get_command(app), ["site", "burn"])


def test_both_readmes_link_to_the_same_files_and_name_the_same_commands() -> None:
    english, chinese = read("README.md"), read("README.zh.md")
    others = {"README.md", "README.zh.md", "docs/flow.svg", "docs/flow.zh.svg"}
    assert _links(english) - others == _links(chinese) - others
    assert COMMAND.findall(english) == COMMAND.findall(chinese)
    assert _targets(english) == _targets(chinese)
    assert english.count("\n## ") == chinese.count("\n## ")


@pytest.mark.parametrize("picture", ["docs/flow.svg", "docs/flow.zh.svg"])
def test_files_in_the_picture_exist(picture: str) -> None:
    named = FILE.findall(read(picture))
    assert len(named) >= 8
    assert [name for name in named if not (ROOT / name).exists()] == []


def _links(text: str) -> set[str]:
    return {a or b for a, b in LINK.findall(text)}


def _targets(text: str) -> set[str]:
    return {a or b for a, b in MAKE.findall(text)}


def _is_command(command: object, words: list[str]) -> bool:
    if not words or not isinstance(command, TyperGroup):
        return True
    child = command.commands.get(words[0])
    return child is not None and _is_command(child, words[1:])
