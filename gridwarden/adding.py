"""New devices written into a site folder: checked with the whole site first, then written at once.

They go to devices/added.yaml, a file like any other of the folder: move its entries where you
like. What is wrong with them is told by the place that they came from.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from devices import document
from devices.document import Data
from devices.errors import DocumentError, Problem
from devices.formats.announcing import Announced
from devices.kind import kind_told_by
from devices.site import SiteError
from devices.topic import CODE
from gridwarden.site import check_files, read_folder
from gridwarden.site_edit import flow

ADDED = "devices/added.yaml"
COLUMNS = (
    "code",
    "kind",
    "area",
    "household",
    "address",
    "gateway",
    "name_zh",
    "name_en",
    "interval",
)
"""Columns of a table of devices; `code` may be left out where there is an address."""

_HEAD = """\
# 用 gridwarden devices add 或 import 加入的设备。
# Devices that `gridwarden devices add` or `import` has added.
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of devices.yaml, and where it was read: a file and its line."""

    data: Mapping[str, object]
    source: str
    line: int


def entry(row: Mapping[str, str], source: str = "the new device", line: int = 1) -> Entry:
    """An entry of devices.yaml from a row of texts; what is empty is left out."""
    given = {key: text.strip() for key, text in row.items() if text and text.strip()}
    address = given.get("address")
    found: dict[str, object] = {"code": given.get("code") or code_of(address or "")}
    found |= {key: given[key] for key in ("kind", "area", "household", "gateway") if key in given}
    names = {lang: given[f"name_{lang}"] for lang in ("zh", "en") if f"name_{lang}" in given}
    if names:
        either = next(iter(names.values()))
        found["name"] = {lang: names.get(lang, either) for lang in ("zh", "en")}
    if "interval" in given:
        found["interval"] = given["interval"]
    if address and address != found["code"]:
        found["address"] = address
    return Entry(found, source, line)


def suggested(announced: Announced) -> Mapping[str, object]:
    """What an entry may take from an announcement: its kind, if told, its metrics, its name."""
    kind = kind_told_by(announced.metrics)
    found: dict[str, object] = {}
    if kind is not None:
        found["kind"] = kind.name
        others = [name for name in announced.metrics if name not in kind.metrics]
        if others:
            found["metrics"] = [*kind.metrics, *others]
    if announced.name:
        found["name"] = dict.fromkeys(("zh", "en"), announced.name)
    return found


def code_of(address: str) -> str:
    """A code that looks like the address: what a code cannot hold becomes '-'."""
    if CODE.fullmatch(address):
        return address
    return re.sub(r"[^A-Za-z0-9_.]+", "-", address).strip("-_.")[:64].strip("-_.").lower()


def read_table(source: str, lines: Iterable[str]) -> list[Entry]:
    """Entries from CSV with a head line; SiteError naming the line where it is no such table."""
    rows = csv.DictReader(lines)
    head = [name.strip() for name in rows.fieldnames or []]
    unknown = [name for name in head if name not in COLUMNS]
    if not head or unknown or "kind" not in head:
        what = f"unknown column {unknown[0]!r}" if unknown else "there is no column 'kind'"
        raise SiteError([Problem(source, 1, what, f"the columns are {', '.join(COLUMNS)}")])
    rows.fieldnames = head
    found: list[Entry] = []
    for row in rows:
        if None in row or None in row.values():
            what = f"the row has not as many cells as the head line, {len(head)}"
            raise SiteError([Problem(source, rows.line_num, what, "write one cell a column")])
        found.append(entry(row, source, rows.line_num))
    return found


def read_entries(source: str, text: str) -> list[Entry]:
    """Entries from YAML, a list as in devices.yaml; SiteError where it is no list of mappings."""
    try:
        data, lines = document.read(source, text)
    except DocumentError as error:
        raise SiteError(error.problems) from None
    if not isinstance(data, list) or not data:
        raise SiteError([Problem(source, 1, "is no list", "write entries as in devices.yaml")])
    found: list[Entry] = []
    problems: list[Problem] = []
    for number, item in enumerate(data):
        line = lines.at(number)
        if isinstance(item, dict):
            found.append(Entry(_with_code(item), source, line))
        else:
            problems.append(Problem(source, line, "is no mapping", "write e.g. {code: …, kind: …}"))
    if problems:
        raise SiteError(problems)
    return found


def _with_code(item: Mapping[str, Data]) -> Mapping[str, Data]:
    address = item.get("address")
    return item if "code" in item or address is None else {"code": code_of(str(address)), **item}


def added(folder: Path, entries: Sequence[Entry]) -> dict[str, str]:
    """The files that change, by path, with these devices; SiteError if it would be unsound."""
    files = read_folder(folder)
    text = files.get(ADDED) or _HEAD
    text += "" if text.endswith("\n") else "\n"
    before = text.count("\n")
    text += "".join(f"- {flow(one.data)}\n" for one in entries)
    try:
        check_files({**files, ADDED: text})
    except SiteError as error:
        raise SiteError([_where_read(p, entries, before) for p in error.problems]) from None
    return {ADDED: text}


def _where_read(problem: Problem, entries: Sequence[Entry], before: int) -> Problem:
    if problem.source != ADDED or problem.line <= before:
        return problem
    one = entries[problem.line - before - 1]
    return replace(problem, source=one.source, line=one.line)


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write these files, each whole or not at all."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
