"""From texts to entries with their lines: everything that one file alone can be wrong about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from devices.document import Data, Lines, scan
from devices.errors import Problem
from devices.site.forms import AreaForm, DeviceForm, Form
from devices.site.model import Origin
from devices.suggest import did_you_mean
from devices.topic import CODE

F = TypeVar("F", bound=Form)

NO_CODE = "?"
"""Stands for the code of an area that has none; no code can be this."""

REFERENCES = {
    "parent": "areas",
    "area": "areas",
    "household": "households",
    "member": "members",
    "gateway": "devices",
}
"""The keys that name an entry elsewhere, and the section it is in."""


@dataclass(frozen=True, slots=True)
class Placed(Generic[F]):
    """A well-formed entry and where it and each of its fields is written."""

    form: F
    source: str
    lines: Lines

    @property
    def origin(self) -> Origin:
        """Where the entry begins."""
        return Origin(self.source, self.lines.line)

    def problem(self, key: str, what: str, hint: str = "") -> Problem:
        """Something wrong with the field of this key."""
        return Problem(self.source, self.lines.at(key), what, hint)


class Reference(NamedTuple):
    """An entry names, under `key`, the code of an entry elsewhere."""

    key: str
    code: str
    origin: Origin


@dataclass(slots=True)
class Entries(Generic[F]):
    """The entries of a section.

    codes, references: also those of malformed entries, so that every mistake is told, and once ·
    sound: False where a file could not be read, so that its codes are not known · whole: no entry
    is malformed.
    """

    placed: list[Placed[F]]
    codes: dict[str, Origin]
    references: list[Reference]
    sound: bool = True
    whole: bool = True


class _Item(NamedTuple):
    data: Data
    lines: Lines
    parent: str | None


def read_entries(form: type[F], files: Mapping[str, str], problems: list[Problem]) -> Entries[F]:
    """The entries of these files, which make up one section; adds to `problems`.

    Areas nested under 'areas:' become entries of their own, with the outer one as their parent.
    """
    entries: Entries[F] = Entries([], {}, [])
    for source, text in files.items():
        data, lines, found = scan(source, text)
        problems += found
        entries.sound &= isinstance(data, list) or (data is None and not found)
        read_list(form, source, data, lines, entries=entries, problems=problems)
    return entries


def read_list(
    form: type[F],
    source: str,
    data: Data,
    lines: Lines,
    *,
    entries: Entries[F],
    problems: list[Problem],
) -> None:
    """Add the entries of this list, written at these lines of `source`; adds to `problems`."""
    for item in _items(source, data, lines, problems):
        _read_item(form, source, item, entries, problems)


def _read_item(
    form: type[F], source: str, item: _Item, entries: Entries[F], problems: list[Problem]
) -> None:
    data = item.data
    nested = data.get("areas") if isinstance(data, dict) and form is AreaForm else None
    if isinstance(data, dict) and nested is not None:
        data = {key: value for key, value in data.items() if key != "areas"}
    placed = read_form(form, source, data, item.lines, problems)
    entries.whole &= placed is not None
    if placed:
        entries.placed.append(_in_parent(placed, item.parent, problems))
    code = _code_in(data, "code")
    _note_code(form, code, Origin(source, item.lines.at("code")), entries, problems)
    for key in REFERENCES.keys() & form.model_fields.keys():
        named = _code_in(data, key)
        if named is not None:
            entries.references.append(Reference(key, named, Origin(source, item.lines.at(key))))
    inner = item.lines.parts.get("areas", item.lines)
    for child in _items(source, nested, inner, problems, code or NO_CODE):
        _read_item(form, source, child, entries, problems)


def _note_code(
    form: type[F],
    code: str | None,
    origin: Origin,
    entries: Entries[F],
    problems: list[Problem],
) -> None:
    """Devices of two communities may share a code: which is whose is not known here."""
    if code is None:
        return
    first = entries.codes.setdefault(code, origin)
    if first is not origin and form is not DeviceForm:
        problems.append(given_twice(code, first, origin))


def given_twice(code: str, first: Origin, second: Origin) -> Problem:
    """A code is used twice."""
    hint = f"the first is at {first.source}:{first.line}"
    return Problem(*second, f"code {code!r} is given twice", hint)


def _in_parent(placed: Placed[F], parent: str | None, problems: list[Problem]) -> Placed[F]:
    if parent is None:
        return placed
    if "parent" in placed.form.model_fields_set:
        what = "a nested area has a 'parent' of its own"
        problems.append(placed.problem("parent", what, "leave it out, or do not nest the area"))
    return Placed(placed.form.model_copy(update={"parent": parent}), placed.source, placed.lines)


def _items(
    source: str, data: Data, lines: Lines, problems: list[Problem], parent: str | None = None
) -> list[_Item]:
    if data is None:
        return []
    if not isinstance(data, list):
        what = "entries are expected here as a list"
        problems.append(Problem(source, lines.line, what, "begin each entry with '- '"))
        return []
    return [_Item(item, lines.parts[index], parent) for index, item in enumerate(data)]


def _code_in(item: Data, key: str) -> str | None:
    """What stands under the key, if it can be a code."""
    code = item.get(key) if isinstance(item, dict) else None
    is_text = isinstance(code, str | int) and not isinstance(code, bool)
    return str(code) if is_text and CODE.fullmatch(str(code)) else None


def read_form(
    form: type[F], source: str, item: Data, lines: Lines, problems: list[Problem]
) -> Placed[F] | None:
    """The entry, or None and its problems added."""
    if not isinstance(item, dict):
        hint = "write 'key: value' pairs, e.g. {code: …, …}"
        problems.append(Problem(source, lines.line, "an entry is not a mapping", hint))
        return None
    try:
        return Placed(form.model_validate(item), source, lines)
    except ValidationError as error:
        problems += [_problem(form, source, lines, e) for e in error.errors(include_url=False)]
        return None


def _problem(form: type[Form], source: str, lines: Lines, error: ErrorDetails) -> Problem:
    path = error["loc"]
    key = ".".join(str(step) for step in path if step != "[key]")
    what, hint = _words(form, key, error)
    return Problem(source, lines.at(*path), what, hint)


def _words(form: type[Form], key: str, error: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and the hint."""
    if error["type"] == "missing":
        examples = form.model_fields[key].examples or [""]
        return f"{key!r} is missing", f"write e.g. '{key}: {examples[0]}'"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key!r}", did_you_mean(key, _keys(form))
    context = error.get("ctx", {})
    if error["type"] == "wrong":
        return f"{key!r} {context['what']}", str(context["hint"])
    return f"{key!r}: {error['msg']}", ""


def _keys(form: type[Form]) -> list[str]:
    return [info.alias or name for name, info in form.model_fields.items()]
