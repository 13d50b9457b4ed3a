"""What the simulator yields: messages with the instant at which they are due."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from devices import topic
from devices.instant import Micros
from devices.inventory import Device
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


def messages(device: Device, said: Iterable[Said]) -> Iterator[Message]:
    """What this device says, as messages due the instant they are about."""
    address = topic.up(device.community, device.code)
    for one in said:
        yield Message(one.at, address, native(one))
