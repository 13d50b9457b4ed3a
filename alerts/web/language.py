"""Both languages: which one to speak, and the table of everything the pages say."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib.resources import files
from types import MappingProxyType

import yaml

LANGUAGES = ("zh", "en")
DEFAULT = "zh"

Table = Mapping[str, Mapping[str, str]]
"""Message key → language → text with {named} parts."""


def choose(wishes: Iterable[str | None], accept_language: str = "") -> str:
    """The first wish that we speak, else the best of an Accept-Language header, else Chinese."""
    spoken = (w for w in (*wishes, *_accepted(accept_language)) if w in LANGUAGES)
    return next((w for w in spoken if w), DEFAULT)


def _accepted(header: str) -> list[str]:
    ranked = []
    for place, part in enumerate(header.lower().split(",")):
        tag, _, quality = part.strip().partition(";q=")
        try:
            ranked.append((-float(quality or 1), place, tag[:2]))
        except ValueError:
            continue
    return [language for rank, _, language in sorted(ranked) if rank < 0]


@cache
def table() -> Table:
    """The message table beside this file, read once."""
    text = files("alerts.web").joinpath("messages.yaml").read_text(encoding="utf-8")
    return MappingProxyType(yaml.safe_load(text))


@dataclass(frozen=True, slots=True)
class Speaker:
    """Says things in one language; KeyError for a message that the table lacks."""

    language: str

    def __call__(self, key: str, **parts: object) -> str:
        """The message of this key with its parts filled in."""
        return table()[key][self.language].format(**parts)

    def of(self, family: str, member: Enum | str) -> str:
        """The word for a member of an enumeration; its own name if a newer service wrote it."""
        value = member.value if isinstance(member, Enum) else member
        known = table().get(f"{family}.{value}")
        return known[self.language] if known else str(value)

    def name(self, names: Mapping[str, str] | None) -> str:
        """A name in this language, or in the other where this one is missing."""
        if not names:
            return ""
        return names.get(self.language) or next(iter(names.values()), "")
