"""The pages of documentation, and the examples fenced in them."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
_FENCE = re.compile(r"^```(\w+)(?: ([^\n]+))?\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A fenced example: its language, the words after it, and its text."""

    language: str
    words: tuple[str, ...]
    text: str


def read(name: str) -> str:
    """The text of a page, by its path in the repository."""
    return (ROOT / name).read_text("utf-8")


def examples(name: str) -> list[Example]:
    """The examples of a page that state their language."""
    found = _FENCE.findall(read(name))
    return [Example(language, tuple(words.split()), text) for language, words, text in found]
