"""What the simulator yields: messages with the instant at which they are due."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from devices.instant import Micros
from devices.reading import Json


class Message(NamedTuple):
    """One PUBLISH to come: `due` is its instant, µs since the Unix epoch, UTC."""

    due: Micros
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Said:
    """What one device says at one instant (µs, UTC), in the units of `devices.metric`."""

    at: Micros
    values: Mapping[str, float]
    attributes: Mapping[str, Json] = field(default_factory=dict)


def native(said: Said) -> bytes:
    """This as native JSON; `ts` in whole milliseconds, so that µs below a ms are dropped."""
    body: dict[str, Json] = {"ts": said.at // 1_000, "values": said.values}
    if said.attributes:
        body["attributes"] = said.attributes
    return orjson.dumps(body)
