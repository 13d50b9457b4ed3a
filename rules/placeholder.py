"""Placeholders in the texts of rules: `{value}` and the like, filled in when an alert is opened."""

import re
from collections.abc import Mapping

PLACEHOLDERS = frozenset({"value", "unit", "place", "device", "household", "since", "rule"})

_ONE = re.compile(r"\{([^{}]*)\}")
_SPACES = re.compile(r"\s{2,}")
_LEFT_ALONE = re.compile(r"\s*[(（]\s*[)）]|\s+(?=[,.;:!?，。；：！？])")
_ENDS = " ,;:·-–—，；：、"


def names(text: str) -> list[str]:
    """What stands in braces in this text, in order."""
    return _ONE.findall(text)


def fill(text: str, words: Mapping[str, str]) -> str:
    """The text with these words in place of the placeholders; nothing in place of others."""
    if not _ONE.search(text):
        return text
    filled = _ONE.sub(lambda found: words.get(found[1], ""), text)
    return _SPACES.sub(" ", _LEFT_ALONE.sub("", filled)).strip(_ENDS)


def plain(text: str) -> str:
    """The text without what placeholders would say."""
    return fill(text, {})
