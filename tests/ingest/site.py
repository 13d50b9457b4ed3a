"""A small community for tests of ingest, and messages from it."""

from dataclasses import replace
from itertools import count

import orjson

from devices.instant import DAY, MINUTE, SECOND, Micros
from devices.inventory import Area, Device, Inventory
from ingest.decode import Limits
from ingest.message import RawMessage, Ticket

NOW: Micros = 1_795_233_600 * SECOND
LIMITS = Limits(earliest=NOW - 10_000 * DAY, max_ahead=10 * MINUTE)
_packet_ids = count(1)


def inventory(community: str = "c1", interval: Micros = MINUTE) -> Inventory:
    """Devices 1 (w1) and 2 (w2), wearables; 3 (door); 4 (park), with room for 60 cars.

    5 (hall) is what its vendor calls Hall/Ceiling.
    """
    area = Area(1, community, "community", None, {"zh": "甲", "en": "A"})

    def device(number: int, code: str, kind: str, **attributes: float) -> Device:
        return Device(number, code, community, kind, 1, None, interval, (), {}, attributes)

    devices = (
        device(1, "w1", "wearable"),
        device(2, "w2", "wearable"),
        device(3, "door", "door"),
        device(4, "park", "car_park", capacity=60),
        replace(device(5, "hall", "motion_sensor"), address="Hall/Ceiling"),
    )
    return Inventory.of([area], [], devices)


def message(device: str, payload: object, *, arrival: Micros = NOW) -> RawMessage:
    """A message on the device's `up` topic; payload is given as bytes or as what JSON holds."""
    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    ticket = Ticket(next(_packet_ids) % 65_535 + 1, 1, 1)
    return RawMessage(f"gw/v1/c1/{device}/up", data, arrival, ticket)


def on_topic(topic: str, payload: bytes, *, arrival: Micros = NOW) -> RawMessage:
    """A message on any topic."""
    return RawMessage(topic, payload, arrival, Ticket(1, 1, 1))


def ms(time: Micros) -> int:
    """An instant as the native format's `ts`."""
    return time // 1_000
