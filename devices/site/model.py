"""A site as a value: what its files say, keyed by codes; ids exist only in the registry.

`name` always maps 'zh' and 'en' to text. `origin` says where an entry is written; it does not count
when two entries are compared.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from devices.errors import TextError
from devices.instant import Micros


class SiteError(TextError):
    """A site folder is wrong; `problems` are all that was found in all of its files."""


class Origin(NamedTuple):
    """Where something is written: the file, relative to the site folder, and its line from 1."""

    source: str
    line: int


@dataclass(frozen=True, slots=True)
class AreaEntry:
    """A place. `kind` is a word of the site's own ('grid', 'building'); the root has no parent."""

    code: str
    kind: str
    parent: str | None
    name: Mapping[str, str]
    origin: Origin = field(compare=False)


@dataclass(frozen=True, slots=True)
class HouseholdEntry:
    """A home in an area. `care`: somebody is looked after; `away`: nobody is at home for now."""

    code: str
    area: str
    name: Mapping[str, str]
    care: bool
    away: bool
    origin: Origin = field(compare=False)


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """A device. `area` is its household's where it is in one; `interval` is in microseconds.

    address: what its vendor's format calls it; None where its messages come on its own topic ·
    gateway: code of the gateway, of the same community, that it is heard through.
    """

    code: str
    community: str
    kind: str
    area: str
    household: str | None
    interval: Micros
    metrics: tuple[str, ...]
    name: Mapping[str, str]
    attributes: Mapping[str, float]
    address: str | None
    gateway: str | None
    origin: Origin = field(compare=False)


@dataclass(frozen=True, slots=True)
class MemberEntry:
    """A person who can be told. `language` is 'zh' or 'en'."""

    code: str
    name: Mapping[str, str]
    phone: str | None
    language: str
    origin: Origin = field(compare=False)


@dataclass(frozen=True, slots=True)
class DutyEntry:
    """Who answers for an area and all below it, in which role, for which categories (None: all).

    valid_from ≤ t < valid_to, µs since the Unix epoch, UTC; valid_from None: from when the site is
    applied; valid_to None: until further notice.
    """

    member: str
    area: str
    role: str
    categories: frozenset[str] | None
    valid_from: Micros | None
    valid_to: Micros | None
    origin: Origin = field(compare=False)


DeviceKey: TypeAlias = tuple[str, str]
"""A community's code and a device's code in it, as they stand in a topic."""


@dataclass(frozen=True, slots=True)
class Site:
    """A checked site: every code that is referred to exists, every device is in one community.

    time_zone: an IANA name · rule_files: path to text, for `rules.loader`.
    """

    name: Mapping[str, str]
    time_zone: str
    areas: Mapping[str, AreaEntry]
    households: Mapping[str, HouseholdEntry]
    devices: Mapping[DeviceKey, DeviceEntry]
    members: Mapping[str, MemberEntry]
    duties: tuple[DutyEntry, ...]
    rule_files: Mapping[str, str]

    def path(self, area: str) -> tuple[str, ...]:
        """Codes of the areas from this one up to the root, the deepest first."""
        return tuple(a.code for a in ascend(self.areas, area))


def ascend(areas: Mapping[str, AreaEntry], code: str | None) -> Iterator[AreaEntry]:
    """This area and those around it, the deepest first; ends at a missing one or at a circle."""
    seen: set[str] = set()
    while code is not None and code in areas and code not in seen:
        seen.add(code)
        yield areas[code]
        code = areas[code].parent
