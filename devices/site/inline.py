"""A small place written inside another file: the site's vocabulary, with everything defaulted.

For tests of rules, where a whole site folder would hide what matters. Each section is the list that
its file in a site folder would hold, or a mapping by code. What is left out is filled in: a
community with one grid and one building, names that are the codes, a role for each duty.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from devices.document import Data, Lines
from devices.errors import Problem
from devices.inventory import COMMUNITY
from devices.site.entries import Entries, F, read_list
from devices.site.forms import AreaForm, DeviceForm, DutyForm, HouseholdForm, MemberForm, SiteForm
from devices.site.links import Written, check_references
from devices.site.loader import SECTIONS, link
from devices.site.model import Site
from devices.suggest import did_you_mean

ROLE = "grid_member"
"""The role of a duty that names none."""

_WORD_IS = {"areas": "kind", "households": "area", "devices": "kind", "duties": "area"}
"""What a mere word in place of an entry's fields says."""

_Fields = dict[str, Data]


class _Item(NamedTuple):
    fields: _Fields
    lines: Lines


def read_place(
    source: str, data: Mapping[str, Data], lines: Lines, time_zone: str, problems: list[Problem]
) -> Site | None:
    """The place that this mapping describes, dates in this time zone; adds to `problems`.

    None where it cannot be made, which has been told.
    """
    before = len(problems)
    for key in data:
        if key not in SECTIONS:
            what = f"unknown key {key!r} in a place"
            problems.append(Problem(source, lines.at(key), what, did_you_mean(key, SECTIONS)))
    reader = _Reader(source, data, lines, problems)
    areas = _in_community(reader.items("areas"), lines)
    home = _first_leaf(areas)
    devices = [_placed(item, home, "area", "household") for item in reader.items("devices")]
    households = reader.items("households") or _named(devices, "household", "households" in data)
    duties = [_filled(item, role=ROLE, area=_community(areas)) for item in reader.items("duties")]
    members = reader.items("members") or _named(duties, "member", "members" in data)
    written = Written(
        areas=reader.entries(AreaForm, areas),
        households=reader.entries(HouseholdForm, [_placed(h, home, "area") for h in households]),
        devices=reader.entries(DeviceForm, devices),
        members=reader.entries(MemberForm, [_called_by_code(m) for m in members]),
        duties=reader.entries(DutyForm, duties),
    )
    problems += check_references(written, suffix="")
    header = SiteForm.model_validate({"name": "test", "time_zone": time_zone})
    site = link(header, written, {}, problems)
    return site if len(problems) == before else None


class _Reader:
    """The sections of one place as lists of entries, whichever way they are written."""

    def __init__(
        self, source: str, data: Mapping[str, Data], lines: Lines, problems: list[Problem]
    ) -> None:
        self._source, self._data, self._lines, self._problems = source, data, lines, problems

    def items(self, section: str) -> list[_Item]:
        """The entries of this section, each with its code."""
        lines = self._lines.parts.get(section, self._lines)
        return list(self._items(section, self._data.get(section), lines))

    def entries(self, form: type[F], items: list[_Item]) -> Entries[F]:
        """These, read by the form."""
        entries: Entries[F] = Entries([], {}, [])
        data: Data = [item.fields for item in items]
        lines = Lines(self._lines.line, {n: item.lines for n, item in enumerate(items)})
        read_list(form, self._source, data, lines, entries=entries, problems=self._problems)
        return entries

    def _items(self, section: str, data: Data, lines: Lines) -> Iterator[_Item]:
        code = "member" if section == "duties" else "code"
        if isinstance(data, dict):
            for key, value in data.items():
                place = lines.parts.get(key, lines)
                yield from self._item(section, value, place, {code: key})
        elif isinstance(data, list):
            for index, value in enumerate(data):
                place = lines.parts.get(index, lines)
                word: _Fields = {code: value} if isinstance(value, str) else {}
                yield from self._item(section, None if word else value, place, word)
        elif data is not None:
            self._complain(lines, f"{section!r} is {data!r}", f"write {section}: {{CODE: {{…}}}}")

    def _item(self, section: str, value: Data, lines: Lines, named: _Fields) -> Iterator[_Item]:
        if value is None:
            value = {}
        elif isinstance(value, str) and section in _WORD_IS:
            value = {_WORD_IS[section]: value}
        if not isinstance(value, dict):
            self._complain(lines, f"{value!r} is no entry of {section}", "write {key: value, …}")
            return
        for key in named.keys() & value.keys():
            self._complain(lines, f"{key!r} is given twice", "it stands before the colon already")
        item = _Item({**value, **named}, lines)
        yield self._called(item) if section == "areas" else item

    def _called(self, item: _Item) -> _Item:
        """An area and those in it, each with a name."""
        inner = item.lines.parts.get("areas", item.lines)
        below = list(self._items("areas", item.fields.get("areas"), inner))
        item = _called_by_code(item)
        if not below:
            return item
        places = Lines(inner.line, {n: each.lines for n, each in enumerate(below)})
        lines = Lines(item.lines.line, {**item.lines.parts, "areas": places})
        return _Item({**item.fields, "areas": [each.fields for each in below]}, lines)

    def _complain(self, lines: Lines, what: str, hint: str) -> None:
        self._problems.append(Problem(self._source, lines.line, what, hint))


def _in_community(areas: list[_Item], lines: Lines) -> list[_Item]:
    """The areas, put into a community if none is one; a small one of our own if there are none."""
    if any(kind == COMMUNITY for item in areas for kind in _kinds(item.fields)):
        return areas
    if not areas:
        areas = [_around("grid", [_Item(_area("building"), lines)], lines)]
    return [_around(COMMUNITY, areas, lines)]


def _around(kind: str, areas: list[_Item], lines: Lines) -> _Item:
    """An area of this kind that holds these."""
    places = Lines(lines.line, {n: each.lines for n, each in enumerate(areas)})
    fields: _Fields = {**_area(kind), "areas": [each.fields for each in areas]}
    return _Item(fields, Lines(lines.line, {"areas": places}))


def _area(kind: str) -> _Fields:
    """An area that is called after its kind."""
    return {"code": kind, "kind": kind, "name": kind}


def _kinds(fields: Mapping[str, Data]) -> Iterator[Data]:
    """Of this area and of all in it."""
    yield fields.get("kind")
    for inner in _below(fields):
        yield from _kinds(inner)


def _below(fields: Mapping[str, Data]) -> list[_Fields]:
    inner = fields.get("areas")
    return [each for each in inner if isinstance(each, dict)] if isinstance(inner, list) else []


def _first_leaf(areas: list[_Item]) -> Data:
    """The code of the first area with none in it."""
    parents = {item.fields.get("parent") for item in areas if "parent" in item.fields}
    for item in areas:
        if not parents or item.fields.get("code") not in parents:
            here = item.fields
            while below := _below(here):
                here = below[0]
            return here.get("code")
    return None


def _community(areas: list[_Item]) -> Data:
    """The code of the first community."""
    waiting = [item.fields for item in areas]
    while waiting:
        here = waiting.pop(0)
        if here.get("kind") == COMMUNITY:
            return here.get("code")
        waiting += _below(here)
    return None


def _named(items: list[_Item], key: str, listed: bool) -> list[_Item]:
    """Entries of their own for what these name under the key, where they are not listed."""
    if listed:
        return []
    found = {str(item.fields[key]): item for item in items if isinstance(item.fields.get(key), str)}
    return [_Item({"code": code}, Lines(item.lines.at(key))) for code, item in found.items()]


def _placed(item: _Item, home: Data, *keys: str) -> _Item:
    """The entry, in this area if it says of none of these keys where it is."""
    known = any(key in item.fields for key in keys)
    return item if known else _filled(item, area=home)


def _called_by_code(item: _Item) -> _Item:
    code = item.fields.get("code")
    return _filled(item, name=code) if isinstance(code, str) else item


def _filled(item: _Item, **defaults: Data) -> _Item:
    """The entry with these fields where it has none of them."""
    return _Item({**defaults, **item.fields}, item.lines)
