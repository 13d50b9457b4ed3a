"""What a rule file takes from the rule library: `library: care`, less `without`, with `change`.

The library is handed over as texts by path, `library/care.yaml`; nothing is read from disk here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType

from devices.document import Data, Lines, scan, write
from devices.suggest import did_you_mean
from rules.entry import Entry
from rules.items import item_texts

LIBRARY = "library"
KEYS = frozenset({LIBRARY, "without", "change"})
EMPTY: Mapping[str, str] = MappingProxyType({})
"""A library without a rule."""


@dataclass(frozen=True, slots=True)
class Taken:
    """A rule of the library as it is in force. source, line: where it stands in the library.

    entry: what it says; its problems are at the line of the change, or else of the `library`
    · text: as it is in force.
    """

    entry: Entry
    source: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class _Shelved:
    """A rule as the library has it."""

    data: Mapping[str, Data]
    source: str
    line: int
    text: str


def path_of(name: str) -> str:
    """The path of the library's file of this name."""
    return f"{LIBRARY}/{name}.yaml"


def names_in(library: Mapping[str, str]) -> list[str]:
    """The names that `library` may have, in order."""
    return sorted(PurePosixPath(path).stem for path in library)


def take(entry: Entry, library: Mapping[str, str]) -> list[Taken]:
    """The rules that this item asks for, in the order of the library; problems are noted."""
    entry.refuse_others(KEYS)
    shelved: dict[str, _Shelved] = {}
    for name in _names(entry, library):
        shelved |= {str(s.data.get("id")): s for s in _shelf(path_of(name), library, entry)}
    without = entry.words("without")
    changes = entry.part("change")
    _refuse_unknown(entry, "without", without, shelved)
    if changes is not None:
        _refuse_unknown(changes, "", changes.data, shelved)
        for code in (code for code, change in changes.data.items() if change is None):
            changes.complain(code, "is empty", "write {KEY: VALUE}")
        for code in sorted(without & changes.data.keys()):
            changes.complain(code, "is left out by 'without' too", "write one of the two")
    return [
        _taken(entry, changes, code, rule) for code, rule in shelved.items() if code not in without
    ]


def _names(entry: Entry, library: Mapping[str, str]) -> list[str]:
    """The files asked for, in the order in which they are named, each once."""
    value = entry.data[LIBRARY]
    known = names_in(library)
    asked = value if isinstance(value, list) else [value]
    found: list[str] = []
    for name in asked:
        if name in known and name not in found:
            found.append(str(name))
        elif name in found:
            entry.complain(LIBRARY, f"{name!r} is named twice")
        else:
            entry.complain(LIBRARY, f"no such file: {name!r}", did_you_mean(str(name), known))
    if not asked:
        entry.complain(LIBRARY, "the list is empty", f"write one of {', '.join(known)}")
    return found


def _shelf(path: str, library: Mapping[str, str], entry: Entry) -> Iterator[_Shelved]:
    data, lines, wrong = scan(path, library[path])
    entry.problems.extend(wrong)
    if not isinstance(data, list):
        return
    texts = item_texts(library[path], lines, len(data))
    for number, (item, text) in enumerate(zip(data, texts, strict=True)):
        if isinstance(item, dict):
            yield _Shelved(item, path, lines.at(number), text)


def _refuse_unknown(
    entry: Entry, key: str, codes: Iterable[str], shelved: Mapping[str, _Shelved]
) -> None:
    for code in sorted(set(codes) - shelved.keys()):
        hint = did_you_mean(code, shelved)
        entry.complain(key or code, f"{code!r} is no rule of what is taken from the library", hint)


def _taken(entry: Entry, changes: Entry | None, code: str, rule: _Shelved) -> Taken:
    """This rule, changed where that is asked for."""
    name = f"rule {code} of the library"
    here = Lines(entry.lines.at(LIBRARY))
    own = replace(entry, name=name, data=rule.data, lines=here)
    if changes is None or changes.data.get(code) is None:
        return Taken(own, rule.source, rule.line, rule.text)
    change = changes.part(code)
    if change is None:
        return Taken(own, rule.source, rule.line, rule.text)
    if "id" in change.data:
        change.complain("id", "cannot be changed", "leave the rule out and write one of your own")
    data: dict[str, Data] = {**rule.data, **change.data}
    data = {key: value for key, value in data.items() if value is not None}
    lines = Lines(changes.lines.at(code), change.lines.parts)
    return Taken(replace(own, data=data, lines=lines), rule.source, rule.line, write([data]))
