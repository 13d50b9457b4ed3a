"""Payload formats: one module per format, each turning bytes into observations or a FormatError.

A format is pure: the topic and the bytes in, observations out. What it cannot read beside what it
can is a problem of the observation; where it can read nothing, it raises FormatError.
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
    lorawan,
    native,
    openmhealth,
    senml,
    shelly,
    sparkplug,
    tasmota,
    tts,
    zigbee2mqtt,
)
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
