"""FIWARE: parking entities as a context broker sends them, in NGSI v2 or in NGSI-LD.

https://github.com/smart-data-models/dataModel.Parking, the NGSI v2 specification
(https://fiware.github.io/specifications/ngsiv2/stable/) and ETSI GS CIM 009 for NGSI-LD. Read are
normalized, concise, simplified and keyValues entities and GeoJSON features; one entity, an array, a
FeatureCollection, or a notification with them in `data`. The device is the entity's id.

Time is what an attribute says of itself, else what its entity says: `observedAt`, the metadata
`TimeInstant` or `timestamp`, then the entity's `dateObserved`, then its `dateModified` or
`modifiedAt`. The first of these that is there decides; a local time or an interval is no instant.
Attributes of different times are different observations.

Traps: a bay's status 'closed' or 'unknown' is no occupancy: the entity tells no reading then. A
ParkingAccess describes an entrance and measures nothing. Counts by kind of vehicle within a site
(`fourWheelerSlots`) and `extraSpotNumber` are parts of it and not kept; vehicleEntranceCount and
vehicleExitCount do not tell from when they count, so they are no counter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import isfinite
from types import MappingProxyType

from devices.errors import FormatError, RejectReason
from devices.formats.fields import (
    Field,
    Object,
    Parsed,
    Values,
    bad,
    instant_of,
    json_value,
    nothing,
    short,
    text_of,
)
from devices.instant import Micros
from devices.reading import Observation
from devices.topic import UpTopic

_STATUS: Mapping[str, Field] = MappingProxyType({"status": Field("occupied")})
_COUNTS: Mapping[str, Field] = MappingProxyType(
    {
        "availableSpotNumber": Field("parking_free"),
        "totalSpotNumber": Field("parking_capacity"),
        "occupiedSpotNumber": Field("parking_occupied"),
    }
)
TYPES: Mapping[str, Mapping[str, Field]] = MappingProxyType(
    {
        "ParkingSpot": _STATUS,
        "OffStreetParking": _COUNTS,
        "OnStreetParking": _COUNTS,
        "ParkingGroup": _COUNTS,
        "ParkingAccess": {},
    }
)
"""Type of entity to the attributes that are read of it."""

_OCCUPIED = {"occupied": 1.0, "free": 0.0}
_NOT_TOLD = frozenset({"closed", "unknown"})
_OF_ATTRIBUTE = ("TimeInstant", "timestamp")
_OF_ENTITY = ("dateObserved", "dateModified", "modifiedAt")


def decode(_topic: UpTopic, payload: bytes) -> list[Observation]:
    """The observations of every entity; FormatError where there is none."""
    kept: list[Observation] = []
    refused: list[FormatError] = []
    for number, entity in enumerate(_entities(json_value(payload)), 1):
        try:
            kept += _observed(f"entity {number}", entity)
        except FormatError as error:
            refused.append(error)
    wrong = [error for error in refused if error.reason is not RejectReason.NO_READING]
    if not kept:
        raise (wrong or refused or [nothing("it holds no entity")])[0]
    return [replace(kept[0], problems=(*kept[0].problems, *wrong)), *kept[1:]]


def _entities(parsed: Parsed) -> Iterator[Parsed]:
    """The entities of a payload; one level of a notification, an array or a collection each."""
    if isinstance(parsed, dict) and "data" in parsed and _is_notification(parsed):
        parsed = parsed["data"]
    if isinstance(parsed, dict) and parsed.get("type") == "FeatureCollection":
        parsed = parsed.get("features")
    if isinstance(parsed, list):
        yield from parsed
    else:
        yield parsed


def _is_notification(given: Object) -> bool:
    return "subscriptionId" in given or given.get("type") == "Notification" or "id" not in given


def _observed(place: str, given: Parsed) -> list[Observation]:
    if not isinstance(given, dict):
        raise bad(f"{place} is {short(given)}, not an object")
    device = text_of(given, "id") or text_of(given, "@id")
    if not device:
        raise bad(f"{place} has the id {short(given.get('id'))}, not a text")
    if given.get("type") == "Feature":
        properties = given.get("properties")
        if not isinstance(properties, dict):
            raise bad(f"{place}: 'properties' is {short(properties)}, not an object")
        given = properties
    return _read(f"{place} ({short(device)})", device, _attributes(place, given), given)


def _attributes(place: str, given: Object) -> Mapping[str, Field]:
    """The attributes of its type, which may be an IRI or one of several."""
    kind = given.get("type", given.get("@type"))
    kinds = kind if isinstance(kind, list) else [kind]
    names = [k.rpartition("#")[2].rpartition("/")[2] for k in kinds if isinstance(k, str)]
    if not names:
        raise bad(f"{place} has the type {short(kind)}, not a text")
    for name in names:
        if name in TYPES:
            return TYPES[name]
    raise nothing(f"{place} is of type {short(names[0])}, not a parking entity")


def _read(place: str, device: str, table: Mapping[str, Field], given: Object) -> list[Observation]:
    by_time: dict[Micros | None, Values] = {}
    problems: list[FormatError] = []
    silent = nothing(f"{place} tells nothing that is measured")
    for name, meaning in table.items():
        if name not in given:
            continue
        try:
            number = _number(f"{place}: {name!r}", name, given[name])
        except FormatError as error:
            if error.reason is RejectReason.NO_READING:
                silent = error
            else:
                problems.append(error)
            continue
        values = by_time.setdefault(_time(given[name], given), Values())
        values.values[meaning.metric] = number
    if not by_time:
        raise problems[0] if problems else silent
    seen = [one for time, v in by_time.items() for one in v.observed(device, time)]
    return [replace(seen[0], problems=tuple(problems)), *seen[1:]]


def _number(place: str, name: str, attribute: Parsed) -> float:
    value = _plain(attribute)
    if name == "status":
        return _occupied(place, value)
    if isinstance(value, str) and len(value) <= 10 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        raise bad(f"{place} is {short(value)}, not a number")
    return float(value)


def _occupied(place: str, value: Parsed) -> float:
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in _NOT_TOLD:
        raise nothing(f"{place} is {short(value)}: it tells no occupancy")
    if word not in _OCCUPIED:
        raise bad(f"{place} is {short(value)}, not 'occupied', 'free', 'closed' or 'unknown'")
    return _OCCUPIED[word]


def _time(attribute: Parsed, entity: Object) -> Micros | None:
    """The first time that is told, as an instant; None if it is none."""
    if isinstance(attribute, dict):
        if "observedAt" in attribute:
            return instant_of(_plain(attribute["observedAt"]))
        metadata = attribute.get("metadata")
        if isinstance(metadata, dict):
            for name in _OF_ATTRIBUTE:
                if name in metadata:
                    return instant_of(_plain(metadata[name]))
    for name in _OF_ENTITY:
        if name in entity:
            return instant_of(_plain(entity[name]))
    return None


def _plain(attribute: Parsed) -> Parsed:
    """An attribute's value: normalized, {"@value": …} or as it stands."""
    for key in ("value", "@value"):
        if isinstance(attribute, dict) and key in attribute:
            attribute = attribute[key]
    return attribute
