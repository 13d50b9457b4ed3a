"""YAML as people write it in site and rule files: plain data, and the line that each thing is on.

Stricter and plainer than YAML 1.1: `true` and `false` are the only truth values (`no`, `on` and
`off` are words), dates and clock times stay text, so do numbers with leading zeros or a plus sign;
keys are always text. Refused: a key given twice, anchors and aliases (a few of them can stand for
gigabytes), tags, several documents in a text, deep nesting, and texts beyond `MAX_CHARACTERS`.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import yaml

from devices.errors import DocumentError, Problem

Data: TypeAlias = "str | int | float | bool | list[Data] | dict[str, Data] | None"

MAX_CHARACTERS = 64_000_000
MAX_DEPTH = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+([eE][-+]?[0-9]+)?|[eE][-+]?[0-9]+)")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "~": None, "": None}


_NOTHING: Mapping[str | int, "Lines"] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Lines:
    """The line of a thing, counting from 1, and of the things in it by key or by index."""

    line: int
    parts: Mapping[str | int, "Lines"] = field(default_factory=lambda: _NOTHING)

    def at(self, *path: str | int) -> int:
        """The line of the thing at this path; of the nearest one around it where it is missing.

        A value in a mapping is where its key is: `at(3, "area")` is the line of 'area:' in the
        fourth item.
        """
        here = self
        for step in path:
            if step not in here.parts:
                break
            here = here.parts[step]
        return here.line


def read(source: str, text: str) -> tuple[Data, Lines]:
    """The data of a YAML text and their lines; DocumentError with every problem found.

    `source` names the text in problems. An empty text is None.
    """
    data, lines, problems = scan(source, text)
    if problems:
        raise DocumentError(problems)
    return data, lines


def scan(source: str, text: str) -> tuple[Data, Lines, list[Problem]]:
    """As `read`, but with what could be understood beside the problems; never raises.

    After a mistake in the syntax the data are None. A key given twice has its first value.
    """
    if len(text) > MAX_CHARACTERS:
        what = f"the file has {len(text)} characters, more than {MAX_CHARACTERS}"
        return None, Lines(1), [Problem(source, 1, what, "split it into several files")]
    reader = _Reader(source)
    try:
        data, lines = reader.document(yaml.parse(text, Loader=_LOADER))
    except _StopReadingError:
        return None, Lines(1), reader.problems
    except (yaml.YAMLError, UnicodeEncodeError) as error:
        return None, Lines(1), [*reader.problems, _syntax_problem(source, text, error)]
    return data, lines, reader.problems


class _StopReadingError(Exception):
    """What follows cannot be understood."""


class _Reader:
    """Builds data from parse events, so that a large file never exists as a tree of nodes."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []
        self._here = Lines(1)

    def document(self, events: Iterator[yaml.Event]) -> tuple[Data, Lines]:
        """The one document of the text."""
        data: Data = None
        lines = Lines(1)
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._stop(event, "a second document begins here", "leave out this '---'")
            elif isinstance(event, yaml.NodeEvent):
                data, lines = self._thing(event, events, 0)
        return data, lines

    def _thing(
        self, event: yaml.Event, events: Iterator[yaml.Event], depth: int
    ) -> tuple[Data, Lines]:
        self._refuse_references(event)
        if depth > MAX_DEPTH:
            raise self._stop(event, f"things are nested more than {MAX_DEPTH} deep", "flatten this")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, _line(event), depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, _line(event), depth)
        data = _scalar(event) if isinstance(event, yaml.ScalarEvent) else None
        return data, self._plain(_line(event))

    def _plain(self, line: int) -> Lines:
        """A thing with nothing in it; those of one line share it, since a city has millions."""
        if self._here.line != line:
            self._here = Lines(line)
        return self._here

    def _sequence(self, events: Iterator[yaml.Event], line: int, depth: int) -> tuple[Data, Lines]:
        items: list[Data] = []
        parts: dict[str | int, Lines] = {}
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            item, place = self._thing(event, events, depth + 1)
            parts[len(items)] = place
            items.append(item)
        return items, Lines(line, parts)

    def _mapping(self, events: Iterator[yaml.Event], line: int, depth: int) -> tuple[Data, Lines]:
        entries: dict[str, Data] = {}
        parts: dict[str | int, Lines] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._key(event)
            value, place = self._thing(next(events), events, depth + 1)
            if key in entries:
                first = parts[key].line
                self._add(event, f"{key!r} is given twice", f"the first is on line {first}")
            else:
                entries[key] = value
                here = _line(event)
                parts[key] = Lines(here, place.parts) if place.parts else self._plain(here)
        return entries, Lines(line, parts)

    def _key(self, event: yaml.Event) -> str:
        self._refuse_references(event)
        if not isinstance(event, yaml.ScalarEvent):
            raise self._stop(event, "a key is a list or a mapping", "a key must be text")
        return str(event.value)

    def _refuse_references(self, event: yaml.Event) -> None:
        anchor, tag = getattr(event, "anchor", None), getattr(event, "tag", None)
        if isinstance(event, yaml.AliasEvent):
            self._add(event, f"alias '*{anchor}' is not allowed", "write the value out")
        elif anchor:
            self._add(event, f"anchor '&{anchor}' is not allowed", "write the value out")
        if tag:
            self._add(event, f"tag {tag!r} is not allowed", "leave it out")

    def _add(self, event: yaml.Event, what: str, hint: str) -> None:
        self.problems.append(Problem(self.source, _line(event), what, hint))

    def _stop(self, event: yaml.Event, what: str, hint: str) -> _StopReadingError:
        self._add(event, what, hint)
        return _StopReadingError()


class _Writer(yaml.SafeDumper):
    """Writes what this module reads: repeats what occurs twice, quotes what else is no text."""

    def ignore_aliases(self, _data: object) -> bool:
        return True


def _as_text(writer: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = isinstance(_plain(text), str)
    return writer.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Writer.add_representer(str, _as_text)


def write(data: Data) -> str:
    """These data as YAML; `read` reads them back."""
    return yaml.dump(data, Dumper=_Writer, allow_unicode=True, sort_keys=False, width=100)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 1


def _scalar(event: yaml.ScalarEvent) -> Data:
    text = str(event.value)
    return text if event.style else _plain(text)


def _plain(text: str) -> Data:
    """What a text without quotes is."""
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    return text


def _syntax_problem(source: str, text: str, error: Exception) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    position = getattr(error, "position", None) or getattr(error, "start", 0)
    line = mark.line + 1 if mark else text.count("\n", 0, position) + 1
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return Problem(source, line, f"not readable as YAML: {what}", _syntax_hint(text, line, what))


def _syntax_hint(text: str, line: int, what: str) -> str:
    written = text.splitlines()[line - 1 : line]
    if written and "\t" in written[0]:
        return "indent with spaces, not with tabs"
    if "mapping values" in what:
        return "put text that contains ': ' in quotes"
    return "look at the quotes, brackets and indentation here and on the line before"
