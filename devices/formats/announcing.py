"""What the announcements of a device tell a person who may adopt it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from devices.formats import homeassistant_entity, sparkplug_session
from devices.formats.memory import Entry, Key
from devices.inventory import same_address


@dataclass(frozen=True, slots=True)
class Announced:
    """A device by what it announced; '' for what it did not.

    entities: the names of what it tells, in order · metrics: those of ours that it would give.
    """

    community: str
    address: str
    name: str
    maker: str
    model: str
    entities: tuple[str, ...]
    metrics: tuple[str, ...]


def announcing(entries: Iterable[tuple[Key, Entry]]) -> dict[tuple[str, str], Announced]:
    """By community and address (as `same_address` has it), every device that announced itself."""
    found: dict[tuple[str, str], Announced] = {}
    for (community, _, subject), entry in entries:
        for one in _devices(community, subject, entry):
            key = (community, same_address(one.address))
            found[key] = _together(found[key], one) if key in found else one
    return found


def _devices(community: str, subject: str, entry: Entry) -> Iterable[Announced]:
    if isinstance(entry, homeassistant_entity.Announcement):
        for entity in entry.entities:
            yield Announced(
                community,
                entity.device,
                entity.device_name,
                entity.maker,
                entity.model,
                (entity.name,) if entity.name else (),
                (entity.metric,) if entity.metric and not entity.refusal else (),
            )
    address = sparkplug_session.device_of(subject)
    if isinstance(entry, sparkplug_session.Born) and address is not None:
        names = tuple(entry.births.names)
        yield Announced(community, address, "", "", "", names, entry.metrics)


def _together(one: Announced, other: Announced) -> Announced:
    return Announced(
        one.community,
        one.address,
        one.name or other.name,
        one.maker or other.maker,
        one.model or other.model,
        tuple(dict.fromkeys((*one.entities, *other.entities))),
        tuple(dict.fromkeys((*one.metrics, *other.metrics))),
    )
