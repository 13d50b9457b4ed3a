"""New devices written into a site folder: checked with the whole site first, then written at once.

They go to devices/added.yaml, a file like any other of the folder: move its entries where you like.
"""

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from devices.errors import Problem
from devices.site import SiteError
from devices.topic import CODE
from gridwarden.site import check_files, read_folder

ADDED = "devices/added.yaml"
COLUMNS = ("code", "kind", "area", "household", "address", "name_zh", "name_en", "interval")
"""Columns of a table of devices; `code` may be left out where there is an address."""

_HEAD = """\
# 用 gridwarden devices add 或 import 加入的设备。
# Devices that `gridwarden devices add` or `import` has added.
"""

Entry = Mapping[str, object]


def entry(row: Mapping[str, str]) -> Entry:
    """An entry of devices.yaml from a row of texts; what is empty is left out."""
    given = {key: text.strip() for key, text in row.items() if text and text.strip()}
    address = given.get("address")
    found: dict[str, object] = {"code": given.get("code") or code_of(address or "")}
    found |= {key: given[key] for key in ("kind", "area", "household") if key in given}
    names = {lang: given[f"name_{lang}"] for lang in ("zh", "en") if f"name_{lang}" in given}
    if names:
        either = next(iter(names.values()))
        found["name"] = {lang: names.get(lang, either) for lang in ("zh", "en")}
    if "interval" in given:
        found["interval"] = given["interval"]
    if address and address != found["code"]:
        found["address"] = address
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
        found.append(entry(row))
    return found


def added(folder: Path, entries: Sequence[Entry]) -> str:
    """The new text of the folder's added devices; SiteError if the site would be unsound."""
    files = read_folder(folder)
    text = files.get(ADDED) or _HEAD
    text += "" if text.endswith("\n") else "\n"
    text += "".join(f"- {_flow(one)}\n" for one in entries)
    check_files({**files, ADDED: text})
    return text


def write(folder: Path, text: str) -> None:
    """Write the file of added devices, whole or not at all."""
    path = folder / ADDED
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".yaml.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _flow(one: Entry) -> str:
    dumped: str = yaml.safe_dump(
        dict(one), default_flow_style=True, allow_unicode=True, sort_keys=False, width=10_000
    )
    return dumped.strip()
