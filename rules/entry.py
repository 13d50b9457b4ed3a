"""One mapping of a rule file, read field by field: what is wrong is noted, and reading goes on."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeVar

from devices.document import Data, Lines
from devices.errors import DurationError, Problem
from devices.instant import DAY, Micros, format_duration, parse_duration
from devices.suggest import did_you_mean
from rules.errors import ExpressionError
from rules.expression import Expression, parse

LONGEST: Micros = 366 * DAY
"""A duration beyond this is taken for a mistake."""

LANGUAGES = ("zh", "en")

Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class Entry:
    """A mapping as written: its data, its lines, and what people call it in problems.

    `problems` is shared by everything that reads the same files.
    """

    source: str
    name: str
    prefix: str
    data: Mapping[str, Data]
    lines: Lines
    problems: list[Problem]

    def complain(self, key: str, what: str, hint: str = "") -> None:
        """Note a problem of this field, at its line."""
        place = f"'{self.prefix}{key}' of {self.name}" if key else self.name
        line = self.lines.at(key) if key else self.lines.line
        self.problems.append(Problem(self.source, line, f"{place}: {what}", hint))

    def refuse_others(self, known: Collection[str]) -> None:
        """Note every key that is not one of these."""
        for key in self.data:
            if key not in known:
                self.complain(key, "unknown key", _meant(key, known))

    def text(self, key: str) -> str | None:
        """A text that must be there; None, noted, where it is not."""
        value = self.data.get(key)
        if value is None:
            self.complain(key, "is missing")
            return None
        if not isinstance(value, str) or not value.strip():
            self.complain(key, f"{value!r} is not a text", "put it in quotes")
            return None
        return value

    def choice(self, key: str, choices: type[Choice], default: Choice | None) -> Choice | None:
        """One of an enumeration's values; the default, or None and noted, where it is missing."""
        if default is not None and key not in self.data:
            return default
        word = self.text(key)
        if word is None:
            return None
        names = [str(c) for c in choices]
        if word in names:
            return choices(word)
        self.complain(key, f"{word!r} is not known here", did_you_mean(word, names))
        return None

    def flag(self, key: str) -> bool | None:
        """true or false; None where it is not given."""
        value = self.data.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.complain(key, f"{value!r} is neither true nor false")
        return None

    def words(self, key: str) -> frozenset[str]:
        """A word or a list of words; empty where it is not given."""
        if key not in self.data:
            return frozenset()
        value = self.data[key]
        items = value if isinstance(value, list) else [value]
        if not items:
            self.complain(key, "the list is empty, so nothing would be watched", "leave it out")
        words = [item for item in items if isinstance(item, str) and item]
        if len(words) < len(items):
            self.complain(key, f"{value!r} is not a word or a list of words")
        return frozenset(words)

    def duration(self, key: str, *, least: Micros) -> Micros:
        """A duration in µs; 0 where it is missing, or wrong and noted."""
        value = self.data.get(key)
        if value is None:
            return 0
        try:
            span = parse_duration(str(value))
        except DurationError as error:
            hint = f"write e.g. '{value}s' or '{value}m'" if isinstance(value, int) else ""
            self.complain(key, str(error), hint)
            return 0
        if not least <= span <= LONGEST:
            bounds = f"{format_duration(least)} to {format_duration(LONGEST)}"
            self.complain(key, f"{value} is impossible; it must be {bounds}")
        return span

    def expression(self, key: str, names: Iterable[str]) -> Expression | None:
        """A condition over these names; None where it is missing, or wrong and noted."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.complain(key, f"{value!r} is not a condition", "write e.g. 'spo2 <= 91'")
            return None
        try:
            return parse(value, names)
        except ExpressionError as error:
            for complaint in error.complaints:
                what = f"{complaint.what} (column {complaint.column} of {error.text!r})"
                self.complain(key, what, complaint.hint)
            return None

    def quietly(self, key: str, names: Iterable[str]) -> Expression | None:
        """As `expression`, with nothing noted."""
        return replace(self, problems=[]).expression(key, names)

    def part(self, key: str) -> "Entry | None":
        """The mapping in this field; None where it is missing, or something else and noted."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.complain(key, f"{value!r} is not a mapping", f"write {key}: {{…: …}}")
            return None
        lines = self.lines.parts.get(key, self.lines)
        return Entry(self.source, self.name, f"{self.prefix}{key}.", value, lines, self.problems)

    def languages(self, key: str, *, required: bool) -> Mapping[str, str]:
        """A text in every language; empty where it is missing."""
        part = self.part(key)
        if part is None:
            if required and self.data.get(key) is None:
                self.complain(key, "is missing", "write {zh: …, en: …}")
            return {}
        part.refuse_others(LANGUAGES)
        return {language: part.text(language) or "" for language in LANGUAGES}


def _meant(key: str, known: Collection[str]) -> str:
    if " " in key:
        return "put text that contains ', ' in quotes"
    return did_you_mean(key, known)
