"""Payload formats: one module per format, each turning bytes into observations or a FormatError.

A format is pure: the topic and the bytes in, observations out. What it cannot read beside what it
can is a problem of the observation; where it can read nothing, it raises FormatError.

Some formats are only understood with what was announced before: they have a second reading, with
notes of it.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from devices.errors import FormatError, RejectReason
from devices.formats import (
    chirpstack,
    esprfid,
    fiware,
    hikvision,
    homeassistant,
    homeassistant_entity,
    homeassistant_state,
    lorawan,
    native,
    openmhealth,
    senml,
    shelly,
    sparkplug,
    sparkplug_session,
    tasmota,
    tts,
    zigbee2mqtt,
)
from devices.formats.memory import Entry, Notes
from devices.instant import Micros
from devices.reading import Observation
from devices.topic import UpTopic

Format = Callable[[UpTopic, bytes], list[Observation]]
"""Reads a payload; at least one observation, or FormatError."""

BY_NAME: Mapping[str, Format] = MappingProxyType(
    {
        "chirpstack": chirpstack.decode,
        "esprfid": esprfid.decode,
        "fiware": fiware.decode,
        "hikvision": hikvision.decode,
        "homeassistant": homeassistant.decode,
        "lorawan": lorawan.decode,
        "native": native.decode,
        "openmhealth": openmhealth.decode,
        "senml": senml.decode,
        "shelly": shelly.decode,
        "sparkplug": sparkplug.decode,
        "tasmota": tasmota.decode,
        "tts": tts.decode,
        "zigbee2mqtt": zigbee2mqtt.decode,
    }
)
"""Format name, as it stands in the topic, to its decoder."""


Remembering = Callable[[UpTopic, bytes, Notes, Micros], list[Observation]]
"""Reads a payload that arrived then (µs, UTC) by what was announced; notes what it announces."""

WITH_MEMORY: Mapping[str, Remembering] = MappingProxyType(
    {"homeassistant": homeassistant_state.hear, "sparkplug": sparkplug_session.hear}
)
"""Format name to its decoder with a memory, for those that need one."""

_LOAD: Mapping[str, Callable[[str, bytes], Entry]] = MappingProxyType(
    {"homeassistant": homeassistant_entity.load, "sparkplug": sparkplug_session.load}
)


def decode(topic: UpTopic, payload: bytes) -> list[Observation]:
    """What this payload says; FormatError if nobody speaks its format or it does not fit."""
    try:
        read = BY_NAME[topic.format]
    except KeyError:
        known = ", ".join(sorted(BY_NAME))
        raise FormatError(
            RejectReason.UNKNOWN_FORMAT, f"unknown format {topic.format!r}; known: {known}"
        ) from None
    return read(topic, payload)


def reader(name: str, notes: Notes) -> Format:
    """The format of this name, for messages of one source in their order.

    What they announce goes to the notes and is known to the next. A request for more is not made.
    """
    remembering = WITH_MEMORY.get(name)
    if remembering is None:
        return BY_NAME[name]
    return lambda topic, payload: remembering(topic, payload, notes, 0)


def announces(topic: str) -> bool:
    """True for one of our topics whose retained message is an announcement, worth having late."""
    levels = topic.split("/")
    return levels[3:5] == ["ext", "homeassistant"] and homeassistant.is_config(topic)


def load(name: str, subject: str, kept: bytes) -> Entry:
    """An announcement of the format of this name, as its `dump` was kept."""
    return _LOAD[name](subject, kept)
