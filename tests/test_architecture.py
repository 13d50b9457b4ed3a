"""ARCHITECTURE.md lists every module, and every module it lists exists."""

import re

import pytest

from tests.architecture import PACKAGES, ROOT, first_sentence, lists, modules, written

LISTED = re.findall(r"^- `([\w/]+\.py)`: (.*)$", written(), flags=re.MULTILINE)
EVERY = [path for package in PACKAGES for path in modules(package)]


def test_every_listed_module_exists() -> None:
    assert len(LISTED) > 20
    assert [name for name, _ in LISTED if not (ROOT / name).is_file()] == []


def test_every_module_is_listed_once() -> None:
    assert sorted(name for name, _ in LISTED) == sorted(path.as_posix() for path in EVERY)


@pytest.mark.parametrize("path", EVERY, ids=str)
def test_a_module_says_in_one_line_what_it_is(path: object) -> None:
    assert 10 <= len(first_sentence(ROOT / str(path))) <= 200


def test_the_lists_are_what_the_modules_say() -> None:
    assert written() == lists(), "run: python -m tests.architecture"
