"""All that is known of one device, but no value that it measured.

Values may be somebody's vital signs: those are seen in the inbox, by who answers for them, and each
look is recorded there.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row, tuple_row

from devices.instant import Micros
from gridwarden.errors import GridwardenError
from gridwarden.pending import SQL, State, known, states

T = TypeVar("T")

_ID = """
SELECT devices.id FROM devices JOIN areas ON areas.id = devices.community_id
WHERE areas.code = %(community)s AND devices.code = %(code)s
"""
_LEDGER = "SELECT received, stored, duplicate, rejected FROM ledger WHERE device_id = %(device)s"


class NoSuchDeviceError(GridwardenError):
    """No device has this code in this community."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the device was, from `valid_from` to `valid_to` (None: it still is)."""

    area: str
    household: str | None
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Addressed:
    """What its vendor's format called it, from `valid_from` to `valid_to` (None: it still does)."""

    address: str
    valid_from: datetime
    valid_to: datetime | None


@dataclass(frozen=True, slots=True)
class Reported:
    """A metric that it reported, and when last."""

    metric: str
    unit: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why messages of it were refused, how many, and when last."""

    reason: str
    messages: int
    last: datetime


@dataclass(frozen=True, slots=True)
class DeviceFile:
    """One device. ledger: messages received, stored, duplicate, rejected."""

    device: State
    placements: list[Placement]
    addresses: list[Addressed]
    reported: list[Reported]
    refusals: list[Refusal]
    ledger: tuple[int, int, int, int]


async def device_file(url: str, community: str, code: str, now: Micros) -> DeviceFile:
    """What is known of this device at `now`, µs, UTC.

    NoSuchDeviceError if it was never registered.
    """
    async with await psycopg.AsyncConnection[Any].connect(url) as conn:
        async with conn.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute(_ID.encode(), {"community": community, "code": code})
            found = await cursor.fetchone()
            if found is None:
                what = f"no device {code!r} is or was registered in community {community!r}"
                raise NoSuchDeviceError(f"{what}; see `gridwarden devices list --retired`")
            device: int = found[0]
            await cursor.execute(_LEDGER, {"device": device})
            ledger = await cursor.fetchone() or (0, 0, 0, 0)
        placements = await _rows(conn, Placement, "device_placements", device)
        addresses = await _rows(conn, Addressed, "device_addresses", device)
        reported = await _rows(conn, Reported, "device_metrics", device)
        refusals = await _rows(conn, Refusal, "device_refusals", device)
    with_gateway = states(await known(url, community, code, retired=True), now)
    own = next(state for state in with_gateway if state.device.code == code)
    return DeviceFile(own, placements, addresses, reported, refusals, (*ledger,))


async def _rows(
    conn: psycopg.AsyncConnection[Any], kind: type[T], name: str, device: int
) -> list[T]:
    async with conn.cursor(row_factory=class_row(kind)) as cursor:
        await cursor.execute((SQL / f"{name}.sql").read_bytes(), {"device": device})
        return await cursor.fetchall()
