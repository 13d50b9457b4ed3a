"""What ChirpStack and The Things Stack share: device, best gateway, decoded object, frame. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from devices.errors import FormatError, RejectReason
from devices.formats import frames
from devices.formats.decoded import Decoded, read_decoded, unknown
from devices.formats.fields import Field, Object, Parsed, bad, json_value, nothing, short, value_of
from devices.formats.frames import Frame
from devices.instant import Micros
from devices.reading import Json, Observation

MAX_DEPTH = 32
"""Levels of JSON in a message; deeper ones could not even be explained."""

_EUI = re.compile(r"[0-9A-Fa-f]{16}")


@dataclass(frozen=True, slots=True)
class Heard:
    """Which device was heard, and when; time is None where the message tells none."""

    device: str
    time: Micros | None

    def alive(self, **facts: Json) -> list[Observation]:
        """A sign of life, and what it was."""
        return [Observation(self.device, self.time, {"heartbeat": 1.0}, facts)]


def message_of(payload: bytes) -> Object:
    """The payload as a JSON object; FormatError(BAD_PAYLOAD) otherwise, or if it is too deep."""
    parsed = json_value(payload)
    level = [parsed]
    for _ in range(MAX_DEPTH):
        level = [inner for one in level for inner in _inside(one)]
    if level:
        raise bad(f"payload is JSON of more than {MAX_DEPTH} levels")
    if not isinstance(parsed, dict):
        raise bad(f"payload is {short(parsed)}, not a JSON object")
    return parsed


def _inside(one: Parsed) -> Iterable[Parsed]:
    if isinstance(one, dict):
        return one.values()
    return one if isinstance(one, list) else ()


def eui(given: Parsed, name: str) -> str:
    """A DevEUI in lower case; FormatError if it is not 16 hexadecimal digits."""
    if not isinstance(given, str) or not _EUI.fullmatch(given):
        raise bad(f"{name} is {short(given)}, not 16 hexadecimal digits")
    return given.lower()


def same_device(level: str, device: str) -> None:
    """FormatError(TOPIC_MISMATCH) where the topic's level is another device's DevEUI."""
    if _EUI.fullmatch(level) and level.lower() != device:
        raise FormatError(
            RejectReason.TOPIC_MISMATCH, f"topic is of device {level!r}, payload of {device!r}"
        )


def observed(heard: Heard, decoded: Decoded, gateways: Parsed) -> list[Observation]:
    """The observation of an uplink, with the strongest `rssi` of the gateways that heard it.

    A heartbeat where the uplink was empty, or said only that nothing is the matter.
    """
    values, problems = decoded.read.values, decoded.read.problems
    if not values and problems:
        raise problems[0]
    if not values:
        values["heartbeat"] = 1.0
    rssi = _strongest(gateways)
    if rssi is not None:
        values["rssi"] = rssi
    return decoded.read.observed(heard.device, heard.time, decoded.facts)


def _strongest(gateways: Parsed) -> float | None:
    """In dBm; None where no gateway tells it."""
    if not isinstance(gateways, list):
        return None
    given = [one.get("rssi") for one in gateways if isinstance(one, dict)]
    numbers = [n for n in given if isinstance(n, int | float) and not isinstance(n, bool)]
    return value_of("rssi", max(numbers), Field("rssi")) if numbers else None


def decoded_or_frame(given: Mapping[str, Parsed], frame: Frame | None) -> Decoded:
    """The decoded object's values; the frame's, where the object is empty or tells nothing known.

    FormatError where neither tells anything. With neither object nor frame: nothing, but known.
    """
    decoded = read_decoded(given)
    if decoded.known:
        return decoded
    if frame is None:
        if given:
            raise nothing(unknown(given))
        return Decoded(known=True)
    try:
        read, facts = frames.read(frame)
    except FormatError:
        if given:
            raise nothing(unknown(given)) from None
        raise
    return Decoded(read, dict(facts), known=True)
