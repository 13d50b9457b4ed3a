"""Where an alert is, in ids and in words. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from devices.inventory import Area, Inventory
from rules.model import SubjectKind
from rules.transition import Subject

LANGUAGES = ("zh", "en")
SEPARATOR = " · "


@dataclass(frozen=True, slots=True)
class Place:
    """Where an alert's subject is. path: area ids from its area up to the root.

    areas: the names from its community down, one text for each of 'zh' and 'en' · home: the
    household's name, empty outside homes · subject: the name of what the alert is about ·
    community: the code that stands in topics; above every community, the area's own.
    """

    path: tuple[int, ...]
    household: int | None
    device: int | None
    community: str
    areas: Mapping[str, str]
    home: Mapping[str, str]
    subject: Mapping[str, str]

    @property
    def area(self) -> int:
        """The area it lies in."""
        return self.path[0]


def locate(subject: Subject, inventory: Inventory) -> Place:
    """The place of a device, household or area; KeyError where the inventory does not have it."""
    match subject.kind:
        case SubjectKind.DEVICE:
            device = inventory.devices[subject.id]
            return _place(inventory, device.area, device.household, subject.id, device.name)
        case SubjectKind.HOUSEHOLD:
            home = inventory.households[subject.id]
            return _place(inventory, home.area, subject.id, None, home.name)
        case SubjectKind.AREA:
            name = inventory.areas[subject.id].name
            return _place(inventory, subject.id, None, None, name)


def spoken(name: Mapping[str, str], language: str) -> str:
    """A name in this language, or else in whichever it has."""
    return name.get(language) or next(iter(name.values()), "")


def _place(
    inventory: Inventory,
    area: int,
    household: int | None,
    device: int | None,
    subject: Mapping[str, str],
) -> Place:
    path = inventory.path(area)
    community = inventory.community_of(area) or inventory.areas[area]
    home = {} if household is None else inventory.households[household].name
    shown = [inventory.areas[a] for a in path[: path.index(community.id) + 1]]
    return Place(
        path, household, device, community.code, _words(shown), _both(home), _both(subject)
    )


def _words(areas: Sequence[Area]) -> dict[str, str]:
    return {
        language: SEPARATOR.join(spoken(a.name, language) for a in reversed(areas))
        for language in LANGUAGES
    }


def _both(name: Mapping[str, str]) -> dict[str, str]:
    return {language: spoken(name, language) for language in LANGUAGES}
